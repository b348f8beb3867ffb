"""/admin/keys: the signing keys and their rotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.fields import Reader, read_fields
from authserver.administration.scopes import KEYS, READ
from authserver.administration.views import key_body
from authserver.model.audit import Caller
from authserver.model.errors import Conflict
from authserver.model.inputs import InvalidField, text, truth
from authserver.model.key import SigningKey
from authserver.model.revocation import RevocationOutcome, RevocationTarget
from authserver.revocation.revoker import Revoker
from authserver.revocation.targets import LONGEST_REASON
from authserver.storage.interface import Bus, KeyStore
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.query import Query
from authserver.web.admin.render import answer, sequence_header
from authserver.web.forms import read_json

CONFIG_CHANNEL = "config"
"""What every process listens to, to look at clients and keys again."""


def _reason(field: str, value: object) -> str:
    return text(field, value, longest=LONGEST_REASON)


_ROTATE: dict[str, Reader] = {"now": truth, "revoke": truth, "reason": _reason}


class RotateKey(Protocol):
    """`tokens.rotation.KeyRotation.rotate`."""

    async def __call__(self, *, now: bool, caller: Caller, reason: str) -> SigningKey: ...


@dataclass(frozen=True, slots=True)
class AdminKeysEndpoint:
    guard: AdminGuard
    keys: KeyStore

    async def get(self, request: Request) -> Response:
        """Every key that is not purged; there are a handful, so no pages: `next_cursor` is always null."""
        await self.guard.admit(request, READ, KEYS)
        Query(request, ())
        return answer({"items": [key_body(key) for key in await self.keys.all()], "next_cursor": None})


@dataclass(frozen=True, slots=True)
class AdminRotateEndpoint:
    """POST /admin/keys/rotate."""

    guard: AdminGuard
    keys: KeyStore
    rotate: RotateKey
    revoker: Revoker
    bus: Bus

    async def post(self, request: Request) -> Response:
        """Announce the next key; `now`: it signs at once; `revoke`: the old one is withdrawn as well, with all
        that it signed. Answers `{"key"}`, the key that signs or will, and `sequence` after `revoke`."""
        administrator = await self.guard.admit(request, KEYS)
        fields = read_fields(await read_json(request, optional=True), _ROTATE)
        reason = str(fields.get("reason", ""))
        if not fields.get("revoke"):
            key = await self.rotate(now=fields.get("now") is True, caller=administrator.caller, reason=reason)
            await self.bus.publish(CONFIG_CHANNEL)
            return answer({"key": key_body(key), "sequence": None})
        if fields.get("now") is False:
            raise InvalidField("now", "cannot be false with revoke: a withdrawn key is replaced at once")
        outcome = await self._withdraw(administrator.caller, reason)
        key = await self._signing()
        return answer({"key": key_body(key), "sequence": outcome.sequence}, headers=sequence_header(outcome))

    async def _withdraw(self, caller: Caller, reason: str) -> RevocationOutcome:
        active = await self._signing()
        return await self.revoker.revoke(RevocationTarget(kind="kid", value=active.kid), reason=reason, caller=caller)

    async def _signing(self) -> SigningKey:
        active = next((key for key in await self.keys.all() if key.state == "active"), None)
        if active is None:
            raise Conflict("no key is active; see /readyz")
        return active
