"""Access tokens presented to this server: genuine, unexpired, and not taken back."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from authserver.clock import Clock
from authserver.model.errors import InvalidToken, TemporarilyUnavailable
from authserver.model.revocation import TokenState
from authserver.storage.interface import RevocationStore
from authserver.tokens import jwt
from authserver.tokens.claims import ACCESS_TOKEN_TYPES, AccessTokenClaims, read_claims
from authserver.tokens.keyring import KeyRing
from authserver.tokens.opaque import OpaqueTokens

CACHED_TOKENS = 2048
"""About 1.5 KiB each: 6 MiB of a worker, and more tokens than most sites have in use within their five minutes."""


class KeyNotSettled(TemporarilyUnavailable):
    """The token's key is unknown, and the database was not asked for it after the request had begun."""


class AccessTokens:
    """Remembers which tokens had a good signature, by their SHA-256; never whether they are alive."""

    def __init__(
        self,
        ring: KeyRing,
        revocations: RevocationStore,
        issuer: str,
        now: Clock,
        opaque: OpaqueTokens,
        *,
        cached: int = CACHED_TOKENS,
    ) -> None:
        self._ring = ring
        self._revocations = revocations
        self._issuer = issuer
        self._now = now
        self._opaque = opaque
        self._capacity = cached
        self._seen: OrderedDict[bytes, AccessTokenClaims] = OrderedDict()

    def knows(self, token: str) -> bool:
        """Whether it can only be an access token, whatever has become of it: no other credential of ours has a dot,
        or the tag of an opaque token."""
        return "." in token or self._opaque.owns(token)

    def verify(self, token: str) -> AccessTokenClaims:
        """The claims of a genuine and unexpired JWT, whether or not it was revoked.

        Raises InvalidToken, or UnknownKey (a subclass) when a newer view of the ring might know its key.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        claims = self._seen.get(digest)
        if claims is None:
            return self._verify_new(token, digest)
        # What can change after a good signature: the time, and the key's place in the ring.
        if claims.exp <= self._now() or claims.kid is None or self._ring.public(claims.kid) is None:
            del self._seen[digest]
            return self._verify_new(token, digest)
        self._seen.move_to_end(digest)
        return claims

    async def authenticate(self, token: str, *, certain: bool = False) -> tuple[AccessTokenClaims, TokenState]:
        """`genuine`, and ask the database whether the token still stands; that answer is never kept.

        Raises InvalidToken, or StorageUnavailable when it cannot be known; `certain` as in `verify_with_newest_keys`.
        Whether the bearer holds the key that the token is bound to (`confirmation`) is not looked at.
        """
        claims = await self.genuine(token, certain=certain)
        state = await self._revocations.check(claims.facts)
        if not state.alive:
            raise InvalidToken("The token was revoked.", detail=f"denied by {state.reason or 'unknown'}")
        return claims, state

    async def genuine(self, token: str, *, certain: bool = False) -> AccessTokenClaims:
        """The claims of a token in either form that we issued and that has not expired, whether or not it was revoked.

        Raises InvalidToken, or StorageUnavailable when it cannot be known; `certain` as in `verify_with_newest_keys`.
        """
        if "." in token or not self._opaque.owns(token):
            return await self.verify_with_newest_keys(token, certain=certain)
        kept = await self._opaque.find(token, now=self._now())
        if kept is None or kept.claims.get("iss") != self._issuer:
            raise InvalidToken("The token is not known, or has expired.")
        return read_claims(kept.claims, kid=None)

    async def verify_with_newest_keys(self, token: str, *, certain: bool) -> AccessTokenClaims:
        """`verify`, with the ring read again for a token under an unknown key.

        The ring is not read more often than its cool-down allows, so a key that another instance made a moment ago
        may be missed. Who only turns the token away may live with that. Who would report that a token was taken back
        may not, and asks to be `certain`: raises KeyNotSettled (503) instead of InvalidToken.
        """
        try:
            return self.verify(token)
        except jwt.UnknownKey as unknown:
            if self._ring.is_over(unknown.kid):
                raise
            fresh = await self._ring.refresh()
        try:
            return self.verify(token)
        except jwt.UnknownKey:
            if certain and not fresh:
                raise KeyNotSettled("the keys were read a moment ago and not since; try again") from None
            raise

    def _verify_new(self, token: str, digest: bytes) -> AccessTokenClaims:
        kid, claims = jwt.verify(
            token, self._ring.public, typ=ACCESS_TOKEN_TYPES, issuer=self._issuer, now=self._now(), leeway=0
        )
        record = read_claims(claims, kid)
        self._seen[digest] = record
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return record
