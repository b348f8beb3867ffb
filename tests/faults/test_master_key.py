"""A master key that cannot be right: refused at the start, by name, without a word of what is in it."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from authserver.storage.sql import SqlKeys, open_database
from authserver.tokens.masterkey import MasterKey, MasterKeyError, create_master_key, load_master_key
from authserver.tokens.signingkey import make_signing_key
from tests.unit.tokens.builders import NOON, FakeClock, a_rotation

KEY_TEXT = base64.urlsafe_b64encode(bytes(range(32))).decode()


def _put(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)


def _refusal(path: Path) -> str:
    with pytest.raises(MasterKeyError) as refused:
        load_master_key(path)
    message = str(refused.value)
    assert str(path) in message
    assert KEY_TEXT[:8] not in message
    assert refused.value.__cause__ is None  # no traceback of an inner error with more in it
    return message


def test_a_missing_master_key_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    assert "authserver init" in _refusal(tmp_path / "master.key")


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o604, 0o660, 0o610, 0o666, 0o777])
def test_a_master_key_open_to_others_is_refused_with_the_command_that_closes_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    _put(path, KEY_TEXT, mode)
    assert f"chmod 600 {path}" in _refusal(path)


@pytest.mark.parametrize("content", ["", "\n", "  \n\n"])
def test_an_empty_master_key_is_refused(tmp_path: Path, content: str) -> None:
    _put(tmp_path / "master.key", content)
    assert "is empty" in _refusal(tmp_path / "master.key")


@pytest.mark.parametrize(
    "content",
    [
        KEY_TEXT[:-4],
        KEY_TEXT + "AAAA",
        KEY_TEXT + "\n" + KEY_TEXT,
        KEY_TEXT.replace("A", "!", 1),
        KEY_TEXT[:20] + " " + KEY_TEXT[20:],
        "-----BEGIN PRIVATE KEY-----\n" + KEY_TEXT,
        bytes(range(32)),
        b"\xff\xfe" + KEY_TEXT.encode("utf-16-le"),
        b"\x00" * 44,
        b"A" * 100_000,
    ],
)
def test_a_malformed_master_key_is_refused(tmp_path: Path, content: str | bytes) -> None:
    _put(tmp_path / "master.key", content)
    assert "is malformed" in _refusal(tmp_path / "master.key")


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, b"changeme" * 4])
def test_a_placeholder_instead_of_a_random_key_is_refused(tmp_path: Path, key: bytes) -> None:
    _put(tmp_path / "master.key", base64.b64encode(key))
    assert "not hold a random key" in _refusal(tmp_path / "master.key")


def _a_directory(path: Path) -> None:
    path.mkdir()


def _a_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize("make", [_a_directory, _a_pipe])
def test_something_else_in_the_place_of_the_master_key_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "master.key")
    assert "master.key" in _refusal(tmp_path / "master.key")


def test_an_unreadable_master_key_is_refused(tmp_path: Path) -> None:
    """A loop of links: unreadable for root as well, whom no mode keeps out."""
    path = tmp_path / "master.key"
    path.symlink_to(path)
    assert "cannot be read" in _refusal(path)


def test_real_random_keys_are_never_taken_for_placeholders(tmp_path: Path) -> None:
    for number in range(50):
        create_master_key(tmp_path / f"{number}.key")
        load_master_key(tmp_path / f"{number}.key")


async def test_another_master_key_than_the_databases_is_refused_and_changes_nothing(stores: Any) -> None:
    clock = FakeClock()
    await a_rotation(stores.keys, clock).ensure_keys()
    before = list(await stores.keys.all())
    other = MasterKey(secrets.token_bytes(32), "/etc/authserver/master.key")
    with pytest.raises(MasterKeyError, match=r"/etc/authserver/master\.key"):
        await a_rotation(stores.keys, clock, master=other).ensure_keys()
    assert list(await stores.keys.all()) == before


async def test_a_public_half_that_does_not_match_is_refused_and_the_key_is_named(database: Any, stores: Any) -> None:
    clock = FakeClock()
    rotation = a_rotation(stores.keys, clock)
    await rotation.ensure_keys()
    kid = rotation.ring.signing.kid
    foreign = make_signing_key(2048, MasterKey(bytes(range(32))), NOON).public_jwk
    await _overwrite(database, "public_jwk", foreign)
    with pytest.raises(MasterKeyError, match=f"public half of signing key {kid}"):
        await a_rotation(stores.keys, clock).ensure_keys()


async def test_a_ring_keeps_its_view_when_what_is_stored_went_bad(database: Any, stores: Any) -> None:
    clock = FakeClock()
    rotation = a_rotation(stores.keys, clock)
    await rotation.ensure_keys()
    before = rotation.ring.snapshot
    await _overwrite(database, "private_encrypted", b"\x00" * 64)
    with pytest.raises(MasterKeyError):
        await rotation.ring.load()
    assert rotation.ring.snapshot is before


async def test_after_replacing_the_master_key_as_the_guide_says_the_server_starts(database: Any, stores: Any) -> None:
    clock = FakeClock()
    await a_rotation(stores.keys, clock).ensure_keys()

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(text("DELETE FROM signing_keys"))

    await database.write(work)
    rotation = a_rotation(stores.keys, clock, master=MasterKey(secrets.token_bytes(32)))
    await rotation.ensure_keys()
    assert [key.kid for key in await stores.keys.all()] == [rotation.ring.signing.kid]


def _is_missing(path: Path) -> None:
    path.unlink()


def _is_open_to_others(path: Path) -> None:
    path.chmod(0o644)


def _is_another_one(path: Path) -> None:
    path.unlink()
    create_master_key(path)


@pytest.mark.parametrize("damage", [_is_missing, _is_open_to_others, _is_another_one])
def test_the_server_does_not_start_and_says_why_in_one_line(
    sqlite_url: str, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "keys" / "master.key"
    settings = {"AUTHSERVER_DATABASE_URL": sqlite_url, "AUTHSERVER_KEYS_DIR": str(path.parent)}
    asyncio.run(_first_start(sqlite_url, create_master_key(path)))
    content = path.read_text().strip()
    damage(path)
    served = subprocess.run(
        [sys.executable, "-m", "authserver", "serve", "--port", "0"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert served.returncode == 2
    (line,) = served.stderr.splitlines()
    assert line.startswith(f"authserver: {path}")
    assert content[:8] not in served.stdout + served.stderr


async def _first_start(url: str, master: MasterKey) -> None:
    database = open_database(url)
    await database.start()
    await a_rotation(SqlKeys(database), FakeClock(), master=master).ensure_keys()
    await database.close()


async def _overwrite(database: Any, column: str, value: object) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(text(f"UPDATE signing_keys SET {column} = :value"), {"value": value})

    await database.write(work)
