"""The master key: a file outside the database, without which the database is useless to a thief."""

from __future__ import annotations

import base64
import binascii
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12
MAX_FILE_BYTES = 1024
MIN_DISTINCT_BYTES = 12
"""32 random bytes have fewer distinct values than this with probability below 2^-40: a placeholder, not a key."""


class MasterKeyError(Exception):
    """The master key cannot be used. The message names the file and the way out, never any content."""


class MasterKey:
    """256 bits that do not print, compare or pickle; everything else is derived from them."""

    __slots__ = ("_aead", "_bytes", "source")

    def __init__(self, key: bytes, source: str = "the master key") -> None:
        """`key` has 32 bytes; `source` is the file's name, for messages."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a master key has {KEY_BYTES} bytes")
        self._bytes = key
        self.source = source
        self._aead = AESGCM(self.derive("encryption at rest"))

    def __repr__(self) -> str:
        return "MasterKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a master key is not serialisable")

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose (HKDF-SHA256, RFC 5869); keys of different purposes say nothing of each other."""
        return HKDF(SHA256(), length=32, salt=b"authserver", info=purpose.encode()).derive(self._bytes)

    def encrypt(self, plaintext: bytes, associated: bytes) -> bytes:
        """AES-256-GCM: nonce (12) | ciphertext | tag (16). `associated` is authenticated, not stored."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plaintext, associated)

    def decrypt(self, sealed: bytes, associated: bytes) -> bytes:
        """Raises MasterKeyError when it was sealed by another key, for something else, or altered."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
        except (InvalidTag, ValueError):
            raise MasterKeyError(
                f"{self.source} is not the master key that encrypted the database's signing keys; "
                "put the right file there (restore it from its backup)"
            ) from None


def create_master_key(path: str | os.PathLike[str]) -> MasterKey:
    """Write a new master key, mode 0600, and return it; raises MasterKeyError rather than overwrite one.

    The file appears whole or not at all, so a process that starts at the same moment never reads half a key.
    """
    target = Path(path)
    key = secrets.token_bytes(KEY_BYTES)
    try:
        _make_directory(target.parent)
        _publish(target, base64.urlsafe_b64encode(key) + b"\n")
    except FileExistsError:
        raise MasterKeyError(f"{target} exists already and is not overwritten") from None
    except OSError as error:
        raise MasterKeyError(f"{target} cannot be written: {error.strerror}") from None
    return MasterKey(key, str(target))


def load_master_key(path: str | os.PathLike[str]) -> MasterKey:
    """Read the master key; raises MasterKeyError for a file that is missing, unreadable, readable by others,
    not a regular file, empty or malformed."""
    content = _read_private(Path(path)).strip()
    if not content:
        raise MasterKeyError(f"{path} is empty; restore it from its backup, or remove it and run `authserver init`")
    key = _decode(content)
    if key is None:
        raise MasterKeyError(f"{path} is malformed: it must hold 32 random bytes in base64, on one line")
    if len(set(key)) < MIN_DISTINCT_BYTES:
        raise MasterKeyError(f"{path} does not hold a random key; make one with `authserver init`")
    return MasterKey(key, str(path))


def _decode(content: bytes) -> bytes | None:
    """32 bytes from base64 or base64url, padded or not; None for anything else."""
    try:
        key = base64.b64decode(content.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/")) + b"=", validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def _read_private(path: Path) -> bytes:
    try:
        # O_NONBLOCK: a pipe in the file's place must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise MasterKeyError(
            f"{path} does not exist; restore it from its backup, or (a new installation) run `authserver init`"
        ) from None
    except OSError as error:
        raise MasterKeyError(f"{path} cannot be read: {error.strerror}") from None
    try:
        # Of the open file, not of the name: nobody can swap it in between.
        _refuse_exposed(path, os.fstat(descriptor).st_mode)
        return os.read(descriptor, MAX_FILE_BYTES)
    except OSError as error:
        raise MasterKeyError(f"{path} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _refuse_exposed(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise MasterKeyError(f"{path} is not a regular file")
    if mode & 0o077:
        raise MasterKeyError(
            f"{path} is open to other users (mode {stat.S_IMODE(mode):04o}); run `chmod 600 {path}`, "
            "and replace the key if others may have read it"
        )


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _publish(target: Path, content: bytes) -> None:
    """Write to a draft and give it its name when it is whole and on disk; raises FileExistsError."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        _write_private(draft, content)
        os.link(draft, target)  # fails when the target exists, unlike a rename
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(target.parent)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
