"""Opaque access tokens: references to claims that stay here (RFC 6749 section 1.4), told by introspection alone."""

from __future__ import annotations

from authserver.model.authorization import ReferenceToken
from authserver.model.time import Instant
from authserver.storage.interface.references import ReferenceStore
from authserver.tokens.handles import MalformedHandle, References
from authserver.tokens.issuer import Draft, MintedToken
from authserver.tokens.masterkey import MasterKey

PURPOSE = "access token"


class OpaqueTokens:
    """Says what a reference stands for; whether that was revoked is asked as for a JWT, by its `jti` and the rest."""

    def __init__(self, master: MasterKey, store: ReferenceStore) -> None:
        self._references = References(master, PURPOSE)
        self._store = store

    async def keep(self, draft: Draft) -> MintedToken:
        """Store what the token is to say. Raises StorageUnavailable."""
        text, digest = self._references.new()
        await self._store.add(
            ReferenceToken(handle_hash=digest, jti=draft.jti, claims=draft.claims, expires_at=draft.expires_at)
        )
        return draft.minted(text)

    def owns(self, text: str) -> bool:
        """Whether it carries our tag; the database is not asked."""
        try:
            self._references.parse(text)
        except MalformedHandle:
            return False
        return True

    async def find(self, text: str, *, now: Instant) -> ReferenceToken | None:
        """What it stands for; None: unknown, or expired. Raises MalformedHandle for what does not carry our tag, and
        StorageUnavailable."""
        return await self._store.get(self._references.parse(text), now=now)
