"""The key ring: what signs, what verifies, what is published."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from typing import Any

import jwt as pyjwt
import pytest

from authserver.model.audit import SYSTEM
from authserver.model.time import DAY
from authserver.storage.interface import StorageUnavailable
from authserver.tokens.keyring import KeyRing, NoSigningKey
from authserver.tokens.signingkey import make_signing_key, open_signing_key
from tests.unit.tokens.builders import MASTER, NOON, POLICY, CountingKeys, FakeClock, a_rotation


async def test_an_empty_ring_signs_nothing_and_publishes_an_empty_set(sqlite_stores: Any) -> None:
    ring = KeyRing(sqlite_stores.keys, MASTER, FakeClock())
    await ring.load()
    with pytest.raises(NoSigningKey):
        ring.signing  # noqa: B018 - the look-up is what raises
    assert json.loads(ring.jwks.body) == {"keys": []}


async def test_the_published_set_is_read_by_other_libraries(sqlite_stores: Any) -> None:
    rotation = a_rotation(sqlite_stores.keys, FakeClock())
    await rotation.ensure_keys()
    (key,) = pyjwt.PyJWKSet.from_json(rotation.ring.jwks.body.decode()).keys
    assert (key.key_id, key.algorithm_name, key.public_key_use) == (rotation.ring.signing.kid, "RS256", "sig")
    assert key.key.public_numbers() == rotation.ring.signing.private.public_key().public_numbers()


async def test_only_public_members_are_published(sqlite_stores: Any) -> None:
    rotation = a_rotation(sqlite_stores.keys, FakeClock())
    await rotation.ensure_keys()
    (jwk,) = json.loads(rotation.ring.jwks.body)["keys"]
    assert jwk.keys() == {"kty", "n", "e", "kid", "use", "alg"}


async def test_the_key_that_signs_comes_first(sqlite_stores: Any) -> None:
    clock = FakeClock()
    rotation = a_rotation(sqlite_stores.keys, clock)
    await rotation.ensure_keys()
    first = rotation.ring.signing.kid
    clock.advance(DAY)
    second = (await rotation.rotate(now=True, caller=SYSTEM)).kid
    third = (await rotation.rotate(caller=SYSTEM)).kid
    assert [key["kid"] for key in json.loads(rotation.ring.jwks.body)["keys"]] == [second, third, first]


async def test_the_entity_tag_changes_with_the_set_and_only_with_it(sqlite_stores: Any) -> None:
    rotation = a_rotation(sqlite_stores.keys, FakeClock())
    await rotation.ensure_keys()
    before = rotation.ring.jwks
    await rotation.ring.load()
    assert rotation.ring.jwks == before
    await rotation.rotate(caller=SYSTEM)
    assert rotation.ring.jwks.etag != before.etag
    assert before.etag[0] == before.etag[-1] == '"'


async def test_announced_active_and_retired_keys_verify_and_revoked_ones_do_not(sqlite_stores: Any) -> None:
    clock = FakeClock()
    rotation = a_rotation(sqlite_stores.keys, clock)
    await rotation.ensure_keys()
    retired = rotation.ring.signing.kid
    revoked = (await rotation.rotate(now=True, caller=SYSTEM)).kid
    await rotation.withdraw(revoked, caller=SYSTEM)
    active = rotation.ring.signing.kid
    announced = (await rotation.rotate(caller=SYSTEM)).kid
    known = {kid: rotation.ring.public(kid) is not None for kid in (retired, revoked, active, announced)}
    assert known == {retired: True, revoked: False, active: True, announced: True}
    assert {key["kid"] for key in json.loads(rotation.ring.jwks.body)["keys"]} == {retired, active, announced}


async def test_a_retired_key_is_forgotten_on_time_even_if_nobody_reloads(sqlite_stores: Any) -> None:
    clock = FakeClock()
    rotation = a_rotation(sqlite_stores.keys, clock)
    await rotation.ensure_keys()
    old = rotation.ring.signing.kid
    await rotation.rotate(now=True, caller=SYSTEM)
    clock.advance(POLICY.published_after_retirement - 1)
    assert rotation.ring.public(old) is not None
    clock.advance(1)
    assert rotation.ring.public(old) is None


async def test_a_key_is_opened_once_and_not_at_each_reload(sqlite_stores: Any) -> None:
    rotation = a_rotation(sqlite_stores.keys, FakeClock())
    await rotation.ensure_keys()
    private = rotation.ring.signing.private
    await rotation.ring.load()
    assert rotation.ring.signing.private is private


async def test_a_slow_reading_never_overwrites_a_newer_one(sqlite_stores: Any) -> None:
    rotation = a_rotation(sqlite_stores.keys, FakeClock())
    await rotation.ensure_keys()
    slow = _SlowFirstReading(sqlite_stores.keys)
    ring = KeyRing(slow, MASTER, FakeClock())  # type: ignore[arg-type]  # a store of tests, as far as it is asked
    first = asyncio.create_task(ring.load())
    await slow.started.wait()
    await rotation.rotate(now=True, caller=SYSTEM)
    second = asyncio.create_task(ring.load())
    slow.go_on.set()
    await asyncio.gather(first, second)
    assert ring.signing.kid == rotation.ring.signing.kid


class _SlowFirstReading:
    def __init__(self, store: Any) -> None:
        self.store, self.started, self.go_on = store, asyncio.Event(), asyncio.Event()

    async def all(self) -> Any:
        keys = await self.store.all()
        if not self.started.is_set():
            self.started.set()
            await self.go_on.wait()
        return keys


async def test_refreshes_within_the_cool_down_do_not_read(sqlite_stores: Any) -> None:
    clock, keys = FakeClock(), CountingKeys(sqlite_stores.keys)
    ring = KeyRing(keys, MASTER, clock)  # type: ignore[arg-type]  # a store of tests, as far as it is asked
    assert [await ring.refresh() for _ in range(100)].count(True) == 1
    assert keys.readings == 1
    clock.advance(1000)
    assert await ring.refresh()


async def test_refreshes_at_the_same_time_share_one_reading(sqlite_stores: Any) -> None:
    """And only the one that began it knows that the store was read after it was asked."""
    keys = CountingKeys(sqlite_stores.keys)
    ring = KeyRing(keys, MASTER, FakeClock())  # type: ignore[arg-type]  # a store of tests, as far as it is asked
    assert (await asyncio.gather(*(ring.refresh() for _ in range(50)))).count(True) == 1
    assert keys.readings == 1


async def test_a_failed_refresh_is_no_answer_and_is_tried_again_after_the_cool_down(sqlite_stores: Any) -> None:
    clock, keys = FakeClock(), _DownAtFirst(sqlite_stores.keys)
    ring = KeyRing(keys, MASTER, clock)  # type: ignore[arg-type]  # a store of tests, as far as it is asked
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await ring.refresh()
    assert keys.tried == 1
    clock.advance(1000)
    assert await ring.refresh()


class _DownAtFirst:
    def __init__(self, store: Any) -> None:
        self.store, self.tried = store, 0

    async def all(self) -> Any:
        self.tried += 1
        if self.tried == 1:
            raise StorageUnavailable("down")
        return await self.store.all()


async def test_private_keys_are_nowhere_in_what_prints(sqlite_stores: Any) -> None:
    rotation = a_rotation(sqlite_stores.keys, FakeClock())
    await rotation.ensure_keys()
    printed = repr(rotation.ring.snapshot) + repr(rotation.ring.signing) + repr(rotation)
    assert "private" not in printed
    assert "RSAPrivateKey" not in printed


def test_the_key_id_is_the_thumbprint_of_rfc_7638() -> None:
    key = make_signing_key(2048, MASTER, NOON)
    jwk = json.loads(key.public_jwk)
    canonical = f'{{"e":"{jwk["e"]}","kty":"RSA","n":"{jwk["n"]}"}}'
    assert pyjwt.utils.base64url_encode(hashlib.sha256(canonical.encode()).digest()).decode() == key.kid


@pytest.mark.parametrize("bits", [2048, 3072])
def test_a_key_has_the_size_it_was_asked_for(bits: int) -> None:
    assert open_signing_key(make_signing_key(bits, MASTER, NOON), MASTER).private.key_size == bits


def test_a_sealed_key_does_not_open_under_another_key_id() -> None:
    """So rows of the database cannot be exchanged for each other."""
    first, second = make_signing_key(2048, MASTER, NOON), make_signing_key(2048, MASTER, NOON)
    with pytest.raises(Exception, match="not the master key"):
        open_signing_key(replace(first, private_encrypted=second.private_encrypted), MASTER)
