"""The command's work on a real database: keys, versions, witness; and the witness in the cache."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from authserver import wiring
from authserver.model.audit import SYSTEM, Caller
from authserver.model.log import LogHead
from authserver.model.page import PageRequest
from authserver.model.revocation import RevocationTarget
from authserver.revocation.witness import CACHE_KEY
from authserver.services import Services
from authserver.settings import Settings
from authserver.storage.interface import AuditFilter
from tests.site import ISSUER, make_keys_dir, seed_key

ADMIN = Caller(actor="somebody")
TARGET = RevocationTarget(kind="jti", value="a")


@pytest.fixture
async def services(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Services]:
    """With a key that signs and nothing running."""
    await seed_key(sqlite_url)
    built = await wiring.build(settings(sqlite_url, tmp_path))
    yield built
    await built.close()


def settings(url: str, tmp_path: Path) -> Settings:
    keys_dir = make_keys_dir(tmp_path / "keys")
    return Settings(issuer=ISSUER, database_url=url, keys_dir=keys_dir, key_rotation_interval="36500d")


async def kinds(services: Services) -> list[str]:
    await services.log.follower.look()
    await services.log.follower.look()
    log = (await services.log_store.head()).log
    return [each.record.kind for each in await services.log_store.records(log, after=0, limit=99)]


async def test_every_key_is_withdrawn_and_another_signs(services: Services) -> None:
    await services.rotation.rotate(now=True, caller=SYSTEM)  # one that is retired, one that signs
    await services.rotation.rotate(caller=SYSTEM)  # and one that is announced
    before = {key.kid for key in await services.key_store.all()}
    assert len(before) == 3
    done = await services.log.renewal.renew(caller=ADMIN, reason="restored")
    assert set(done.keys) == before
    states = {key.kid: key.state for key in await services.key_store.all()}
    assert {states[kid] for kid in before} == {"revoked"}
    assert services.keys.signing.kid not in before
    assert sorted(await kinds(services)) == ["iss", "kid", "kid", "kid"]
    assert (await kinds(services))[0] == "iss"


async def test_keys_can_be_kept(services: Services) -> None:
    signing = services.keys.signing.kid
    done = await services.log.renewal.renew(caller=ADMIN, keep_keys=True)
    assert (done.keys, services.keys.signing.kid) == ((), signing)
    assert await kinds(services) == ["iss"]


async def test_it_says_what_it_did(services: Services) -> None:
    before = await services.log_store.head()
    done = await services.log.renewal.renew(caller=ADMIN, reason="restored", keep_keys=True)
    assert (done.before.log, done.head.log == before.log, len(done.head.log)) == (before.log, False, 16)
    (event,) = (await services.audit_store.list(PageRequest(), AuditFilter(type="log.renewed"))).items
    assert (event.actor, event.detail["log"], event.detail["instead_of"]) == ("somebody", done.head.log, before.log)


async def test_configurations_of_others_are_old_after_it(services: Services) -> None:
    before = await services.maintenance.config_version()
    await services.log.renewal.renew(caller=ADMIN, keep_keys=True)
    assert await services.maintenance.config_version() > before


# -- the witness in the cache -----------------------------------------------------------------------


async def signed(services: Services) -> str:
    await services.log.follower.look()
    token = services.log.follower.signed
    assert token is not None
    return token


async def test_a_start_on_an_older_database_is_found_out_by_what_the_cache_remembers(
    services: Services, sqlite_url: str
) -> None:
    empty = await services.log_store.head()
    await services.revoker.revoke(TARGET, reason="", caller=ADMIN)
    await services.log.witness.keep(await signed(services))
    restore_empty_log(sqlite_url, empty)
    await services.log.witness.recall()
    assert (await services.log_store.head()).witness is not None
    await services.log.renewal.renew(caller=ADMIN)
    await services.log.witness.recall()
    assert (await services.log_store.head()).witness is None


async def test_what_the_log_led_to_or_nobody_of_ours_signed_proves_nothing(services: Services) -> None:
    await services.log.witness.recall()  # nothing is there
    await services.log.witness.keep(await signed(services))
    await services.revoker.revoke(TARGET, reason="", caller=ADMIN)
    await signed(services)
    await services.log.witness.recall()
    for junk in (b"junk", b"\xff", (await signed(services)).encode()[:-3] + b"AAA"):
        await services.cache.set(CACHE_KEY, junk, ttl=60_000)
        await services.log.witness.recall()
    assert (await services.log_store.head()).witness is None


async def test_what_is_in_the_cache_follows_the_log_and_is_written_only_when_it_moved(services: Services) -> None:
    first = await signed(services)
    await services.log.witness.keep(first)
    await services.cache.delete(CACHE_KEY)
    await services.log.witness.keep(first)
    assert await services.cache.get(CACHE_KEY) is None
    await services.revoker.revoke(TARGET, reason="", caller=ADMIN)
    second = await signed(services)
    await services.log.witness.keep(second)
    assert await services.cache.get(CACHE_KEY) == second.encode()


def restore_empty_log(url: str, head: LogHead) -> None:
    """As if the database were that of a moment before."""
    with closing(sqlite3.connect(url.partition("///")[2])) as database, database:
        database.execute("DELETE FROM rev_log")
        database.execute("UPDATE rev_head SET seq = 0, hash = ?", (head.hash,))
