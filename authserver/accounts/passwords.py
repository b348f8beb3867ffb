"""Hash and check passwords with argon2id, in few threads, so that log-ins never slow anything else down.

A hash costs about 20 ms of CPU and 19 MiB. The threads run at a low priority, their number bounds
the memory, and the queue before them is bounded: what does not fit is answered 503, not delayed.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from authserver.model.errors import Refused, TemporarilyUnavailable

T = TypeVar("T")

MAX_PASSWORD_BYTES: Final = 1024
LOW_PRIORITY: Final = 10
"""Nice value: a tenth of a core that others want too, so that log-ins still happen on a machine that is full."""
HASH_BYTES: Final = 32
SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Argon2Params:
    """Cost of one argon2id hash; the default is OWASP's minimum (19 MiB, two passes, one lane)."""

    memory_kib: int = 19456
    passes: int = 2
    lanes: int = 1

    def __post_init__(self) -> None:
        if self.memory_kib < 8 * self.lanes or self.passes < 1 or self.lanes < 1:
            raise ValueError("argon2 needs passes >= 1, lanes >= 1 and at least 8 KiB a lane")


class InvalidPassword(Refused):
    """Not a password this server can take: empty, too long, not Unicode (400)."""


class Passwords:
    """`threads` hash at the same time; up to `queue_limit` more may wait."""

    def __init__(self, threads: int = 1, queue_limit: int = 1000, params: Argon2Params | None = None) -> None:
        params = params or Argon2Params()
        self._hasher = PasswordHasher(
            time_cost=params.passes,
            memory_cost=params.memory_kib,
            parallelism=params.lanes,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
        )
        self._limit = threads + queue_limit
        self._pending = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2", initializer=_yield_to_others)
        self._dummy = _hash_of_nothing(params)

    @property
    def pending(self) -> int:
        """Passwords being hashed or waiting for it."""
        return self._pending

    async def hash(self, password: str) -> str:
        """PHC string; raises InvalidPassword, or TemporarilyUnavailable when the queue is full."""
        secret = password_bytes(password)
        return await self._in_pool(lambda: self._hasher.hash(secret))

    def needs_rehash(self, stored: str) -> bool:
        """Stored under other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    async def verify(self, password: str, stored: str | None) -> bool:
        """Compare with a stored hash; None (no such user, no password) takes as long and is never right."""
        secret = password_bytes(password)
        return await self._in_pool(lambda: self._check(secret, stored))

    def close(self) -> None:
        """Drop what waits, let what runs finish."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _check(self, secret: bytes, stored: str | None) -> bool:
        return self._matches(self._dummy if stored is None else stored, secret) and stored is not None

    def _matches(self, stored: str, secret: bytes) -> bool:
        try:
            return self._hasher.verify(stored, secret)
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError):  # a damaged row: refused, and no faster than others
            return stored is not self._dummy and self._matches(self._dummy, secret) and False

    async def _in_pool(self, work: Callable[[], T]) -> T:
        if self._pending >= self._limit:
            raise TemporarilyUnavailable("too many log-ins at once, try again", retry_after=2)
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._pending -= 1


def _hash_of_nothing(params: Argon2Params) -> str:
    """A hash that no password has, in PHC form: checking against it costs what a real check costs, making it nothing
    (a real hash made here would hold its 19 MiB in this thread's heap for good)."""
    salt, tag = (base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (SALT_BYTES, HASH_BYTES))
    return f"$argon2id$v=19$m={params.memory_kib},t={params.passes},p={params.lanes}${salt}${tag}"


def password_bytes(password: str) -> bytes:
    """NFC and UTF-8 (RFC 8265 section 4.2), so that one password typed on two keyboards is one.

    All of it counts: nothing is cut at 72 bytes. Raises InvalidPassword unless 1 to 1024 bytes.
    """
    # Before normalising: sorting a long run of combining marks takes time by the square of its length.
    if len(password) > MAX_PASSWORD_BYTES:
        raise InvalidPassword(f"password must have 1 to {MAX_PASSWORD_BYTES} bytes")
    try:
        secret = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        raise InvalidPassword("password is not valid Unicode text") from None
    if not 1 <= len(secret) <= MAX_PASSWORD_BYTES:
        raise InvalidPassword(f"password must have 1 to {MAX_PASSWORD_BYTES} bytes")
    return secret


def _yield_to_others() -> None:
    """On Linux a priority belongs to one thread: these get out of the way of the one that serves requests."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOW_PRIORITY)
    except (AttributeError, OSError):  # another system: the bounded number of threads has to do
        return
