"""The master key: what it protects, and that it shows itself to nobody."""

from __future__ import annotations

import base64
import copy
import pickle
import stat
from pathlib import Path

import pytest

from authserver.tokens.masterkey import MasterKey, MasterKeyError, create_master_key, load_master_key

KEY = bytes(range(32))


def test_what_was_created_is_what_is_loaded(tmp_path: Path) -> None:
    created = create_master_key(tmp_path / "keys" / "master.key")
    loaded = load_master_key(tmp_path / "keys" / "master.key")
    assert loaded.decrypt(created.encrypt(b"text", b"name"), b"name") == b"text"


def test_a_new_master_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    create_master_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_an_existing_master_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    create_master_key(path)
    before = path.read_bytes()
    with pytest.raises(MasterKeyError, match="exists already"):
        create_master_key(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["master.key"]


def test_a_link_in_the_place_of_the_master_key_is_not_followed_when_creating(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "master.key").symlink_to(elsewhere)
    with pytest.raises(MasterKeyError, match="exists already"):
        create_master_key(tmp_path / "master.key")
    assert not elsewhere.exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MasterKeyError, match=r"file/master\.key cannot be written"):
        create_master_key(tmp_path / "file" / "master.key")


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_any_base64_of_32_random_bytes_is_a_master_key(tmp_path: Path, encode: object, ending: bytes) -> None:
    path = tmp_path / "master.key"
    key = bytes(range(224, 256))  # both alphabets differ on it
    path.write_bytes(encode(key) + ending)  # type: ignore[operator]  # a parameter of pytest
    path.chmod(0o600)
    assert load_master_key(path).derive("x") == MasterKey(key).derive("x")


def test_it_does_not_print() -> None:
    master = MasterKey(KEY)
    for text in (repr(master), str(master), f"{master}", f"{[master]}"):
        assert text.strip("[]") == "MasterKey(...)"


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy, vars])
def test_it_does_not_travel(leak: object) -> None:
    with pytest.raises(TypeError):
        leak(MasterKey(KEY))  # type: ignore[operator]  # a parameter of pytest


def test_it_has_exactly_256_bits() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        MasterKey(KEY[:-1])


def test_keys_of_different_purposes_differ_and_stay_the_same_over_restarts() -> None:
    assert MasterKey(KEY).derive("a") == MasterKey(KEY).derive("a")
    assert len({MasterKey(KEY).derive("a"), MasterKey(KEY).derive("b"), KEY}) == 3


def test_the_same_text_is_never_encrypted_the_same_way_twice() -> None:
    master = MasterKey(KEY)
    assert master.encrypt(b"text", b"name") != master.encrypt(b"text", b"name")


def test_what_was_encrypted_for_one_name_does_not_open_under_another() -> None:
    master = MasterKey(KEY)
    with pytest.raises(MasterKeyError):
        master.decrypt(master.encrypt(b"text", b"name"), b"other")


def test_an_altered_or_cut_ciphertext_does_not_open() -> None:
    master = MasterKey(KEY)
    sealed = master.encrypt(b"text", b"name")
    for broken in (b"", sealed[:5], sealed[:20], sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        with pytest.raises(MasterKeyError):
            master.decrypt(broken, b"name")
