"""Opaque access tokens."""

from __future__ import annotations

import json

from authserver.model.authorization import ReferenceToken
from authserver.model.time import Instant
from authserver.storage.sql import rows
from authserver.storage.sql.database import Database
from authserver.storage.sql.hot import HotStatement, inserting
from authserver.storage.sql.tables import reference_tokens

NAMES = rows.names(reference_tokens)
ADD = inserting(reference_tokens, NAMES)
GET = HotStatement(
    f"SELECT {', '.join(NAMES)} FROM reference_tokens WHERE handle_hash = :handle AND expires_at > :now",
    handle=bytes,
    now=int,
)


class SqlReferences:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, token: ReferenceToken) -> None:
        values = {name: getattr(token, name) for name in NAMES}
        await self._db.hot(ADD, **values | {"claims": rows.dumped(dict(token.claims))})

    async def get(self, handle_hash: bytes, *, now: Instant) -> ReferenceToken | None:
        found = await self._db.hot(GET, handle=handle_hash, now=now)
        if not found:
            return None
        values = dict(zip(NAMES, found[0], strict=True))
        return ReferenceToken(**values | {"claims": json.loads(values["claims"])})
