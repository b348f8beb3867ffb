"""Values that count once. One statement: whoever writes the row was first."""

from __future__ import annotations

import hashlib

from authserver.model.time import Instant
from authserver.storage.sql.database import Database
from authserver.storage.sql.hot import HotStatement

USE = HotStatement(
    """
INSERT INTO used_once (key, expires_at) VALUES (:key, :until)
ON CONFLICT (key) DO UPDATE SET expires_at = :until WHERE used_once.expires_at <= :now
RETURNING key
""",
    writes=True,
    key=bytes,
    until=int,
    now=int,
)


class SqlOnce:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def use(self, purpose: str, value: str, *, expires_at: Instant, now: Instant) -> bool:
        """False too when the answer of the database was lost and the question asked again: better refused than
        accepted twice."""
        return bool(await self._db.hot(USE, key=_key(purpose, value), until=expires_at, now=now))


def _key(purpose: str, value: str) -> bytes:
    """The length tells where the purpose ends. Half a surrogate pair, which JSON may hold, is a character too."""
    return hashlib.sha256(f"{len(purpose)} {purpose}{value}".encode(errors="surrogatepass")).digest()
