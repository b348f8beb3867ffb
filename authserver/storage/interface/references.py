"""Opaque access tokens (RFC 6749 section 1.4: an identifier used to retrieve the authorization information)."""

from __future__ import annotations

from typing import Protocol

from authserver.model.authorization import ReferenceToken
from authserver.model.time import Instant


class ReferenceStore(Protocol):
    async def add(self, token: ReferenceToken) -> None: ...

    async def get(self, handle_hash: bytes, *, now: Instant) -> ReferenceToken | None:
        """If it has not expired; whether it was revoked is for `RevocationStore.check` to say, as for a JWT."""
        ...
