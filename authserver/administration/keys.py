"""The signing keys in an operator's hands: list, rotate, retire, and replace one in an emergency."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from authserver.model.audit import Caller
from authserver.model.errors import Conflict, NotFound
from authserver.model.key import SigningKey
from authserver.model.page import Page, PageRequest
from authserver.model.revocation import RevocationOutcome, RevocationTarget
from authserver.revocation.revoker import Revoker
from authserver.storage.interface import KeyStore
from authserver.tokens.algorithms import RS256


class Rotation(Protocol):
    """`tokens.rotation.KeyRotation`."""

    async def rotate(self, *, algorithm: str, now: bool, caller: Caller, reason: str) -> SigningKey: ...

    async def retire(self, key: SigningKey, *, caller: Caller, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class KeyDirectory:
    keys: KeyStore
    rotation: Rotation
    revoker: Revoker
    changed: Callable[[], Awaitable[None]]
    """Told after the commit, so that every process looks at its keys again."""

    async def all(self) -> Sequence[SigningKey]:
        """Every key that is not purged, oldest first."""
        return await self.keys.all()

    async def list(self, page: PageRequest) -> Page[SigningKey]:
        """There are a handful, so a page is cut out of all of them."""
        left = [key for key in await self.keys.all() if page.after is None or _place(key) > page.after]
        items = tuple(left[: page.limit])
        return Page(items, _place(items[-1]) if len(left) > len(items) else None)

    async def rotate(self, *, now: bool, caller: Caller, reason: str, algorithm: str = RS256) -> SigningKey:
        """Announce the algorithm's next key; `now`: it signs at once. The key that signs or will. Raises Conflict."""
        key = await self.rotation.rotate(algorithm=algorithm, now=now, caller=caller, reason=reason)
        await self.changed()
        return key

    async def replace(
        self, *, caller: Caller, reason: str, algorithm: str = RS256
    ) -> tuple[SigningKey, RevocationOutcome]:
        """An emergency: the key that signs is revoked as any other key is, and another one signs from now on.

        Returns that one. Raises Conflict when no key is active.
        """
        target = RevocationTarget(kind="kid", value=(await self._signing(algorithm)).kid)
        outcome = await self.revoker.revoke(target, caller=caller, reason=reason)
        return await self._signing(algorithm), outcome

    async def retire(self, kid: str, *, caller: Caller, reason: str) -> SigningKey:
        """The key that signs hands over, or gives up where its algorithm is no longer used, and stays published for its
        tokens; one that signs no more is left as it is.

        Raises NotFound, and Conflict for a key that has not signed yet.
        """
        key = await self._get(kid)
        if key.state == "announced":
            raise Conflict(f"key {kid} has not signed yet; only the active key can be retired")
        if key.state != "active":
            return key
        await self.rotation.retire(key, caller=caller, reason=reason)
        await self.changed()
        return await self._get(kid)

    async def _get(self, kid: str) -> SigningKey:
        key = next((key for key in await self.keys.all() if key.kid == kid), None)
        if key is None:
            raise NotFound(f"there is no key {kid}")
        return key

    async def _signing(self, algorithm: str) -> SigningKey:
        signing = (key for key in await self.keys.all() if key.state == "active" and key.algorithm == algorithm)
        active = next(signing, None)
        if active is None:
            raise Conflict(f"no key is active for {algorithm}; see SIGNING_ALGORITHMS and /readyz")
        return active


def _place(key: SigningKey) -> str:
    """Where it stands in the order of `KeyStore.all`; stays good when keys before it are purged."""
    return f"{key.created_at:015d} {key.kid}"
