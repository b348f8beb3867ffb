"""/admin/keys: the signing keys and their rotation."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from authserver.administration.fields import Reader, read_fields
from authserver.administration.keys import KeyDirectory
from authserver.administration.scopes import KEYS, READ
from authserver.administration.views import key_body
from authserver.model.inputs import InvalidField, text, truth
from authserver.revocation.targets import LONGEST_REASON
from authserver.tokens.algorithms import ALGORITHMS, RS256
from authserver.web.admin.guard import AdminGuard
from authserver.web.admin.render import answer
from authserver.web.forms import read_json
from authserver.web.published import Publishes, published
from authserver.web.query import PAGING, Query, page_body

LISTING = "keys"


def _reason(field: str, value: object) -> str:
    return text(field, value, longest=LONGEST_REASON)


def _algorithm(field: str, value: object) -> str:
    if value not in ALGORITHMS:
        raise InvalidField(field, f"must be one of {', '.join(ALGORITHMS)}")
    return str(value)


_ROTATE: dict[str, Reader] = {"now": truth, "revoke": truth, "reason": _reason, "algorithm": _algorithm}


@dataclass(frozen=True, slots=True)
class AdminKeysEndpoint:
    guard: AdminGuard
    directory: KeyDirectory

    async def get(self, request: Request) -> Response:
        """Every key that is not purged, oldest first."""
        await self.guard.admit(request, READ, KEYS)
        page = await self.directory.list(Query(request, PAGING).page(LISTING))
        return answer(page_body(LISTING, page, key_body))


@dataclass(frozen=True, slots=True)
class AdminRotateEndpoint:
    """POST /admin/keys/rotate."""

    guard: AdminGuard
    directory: KeyDirectory
    publication: Publishes

    async def post(self, request: Request) -> Response:
        """Announce the next key of `algorithm` (RS256); `now`: it signs at once; `revoke`: the old one is withdrawn as
        well, with all that it signed. Answers `{"key"}`, the key that signs or will, and `sequence` after `revoke`."""
        administrator = await self.guard.admit(request, KEYS)
        fields = read_fields(await read_json(request, optional=True), _ROTATE)
        caller, reason = administrator.caller, str(fields.get("reason", ""))
        algorithm = str(fields.get("algorithm", RS256))
        if not fields.get("revoke"):
            now = fields.get("now") is True
            key = await self.directory.rotate(algorithm=algorithm, now=now, caller=caller, reason=reason)
            return answer({"key": key_body(key), "sequence": None})
        if fields.get("now") is False:
            raise InvalidField("now", "cannot be false with revoke: a withdrawn key is replaced at once")
        key, outcome = await self.directory.replace(algorithm=algorithm, caller=caller, reason=reason)
        sequence, headers = await published(self.publication, request, outcome)
        return answer({"key": key_body(key), "sequence": sequence}, headers=headers)
