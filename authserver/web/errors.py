"""The one place where an exception becomes an HTTP answer.

To people who look at a page in a browser it is a page, to everybody else JSON.
A `Refused` carries its own status, code and public description; storage that cannot answer is 503;
anything else is a bug: 500 with a fixed text, and the traceback goes to the log alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from authserver import telemetry
from authserver.model.errors import InsufficientScope, InvalidToken, Refused, TemporarilyUnavailable
from authserver.storage.interface import StorageUnavailable
from authserver.web.accept import weight
from authserver.web.answers import NO_STORE
from authserver.web.html import error_page

CLIENT_CLOSED_REQUEST = 499
"""Never sent: the caller has gone; it stands in the log and the metrics."""

DATABASE_SILENT = "the database does not answer; this may not have been done, and it is safe to repeat"
"""Not "nothing was changed": a commit whose answer is lost on the way has happened."""

_TOKEN_SCHEMES = {b"bearer": "Bearer", b"dpop": "DPoP"}
_log = telemetry.logger("authserver.web")


class BodyTooLarge(Refused):
    """The request's body exceeds MAX_BODY_BYTES."""

    status = 413


class NotFoundHere(Refused):
    """No route has this path."""

    code = "not_found"
    status = 404


class MethodNotAllowed(Refused):
    """The path exists; `Allow` says for which methods (RFC 9110 section 15.5.6)."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, allow: str) -> None:
        super().__init__(f"this path takes {allow}", headers={"Allow": allow})


def error_response(error: Exception, scope: Scope) -> Response:
    """The answer to whatever an endpoint raised; logs what the caller is not told."""
    refused = _as_refusal(error)
    if refused is None:
        _log.error("bug", path=scope["path"], exc_info=error)
        if wants_page(scope):
            return error_page(Request(scope), error)
        return _json(500, "server_error", "internal error; the log has the details under this request id", {}, {})
    _note(refused, scope)
    if wants_page(scope):
        return error_page(Request(scope), refused)
    headers = dict(refused.headers)
    challenge = _bearer_challenge(refused, scope)
    if challenge and "WWW-Authenticate" not in headers:
        headers["WWW-Authenticate"] = challenge
    return _json(refused.status, refused.code, refused.description, headers, refused.extra)


def wants_page(scope: Scope) -> bool:
    """Somebody looks at it in a browser: the rule is one for people, and HTML is preferred to JSON (RFC 9110
    section 12.5.1). Programs say */*, or nothing at all, and get JSON."""
    if not scope.get("page"):
        return False
    return weight(scope, "text/html") > weight(scope, "application/json")


def _as_refusal(error: Exception) -> Refused | None:
    if isinstance(error, Refused):
        return error
    if isinstance(error, StorageUnavailable):
        return TemporarilyUnavailable(DATABASE_SILENT, detail=str(error))
    if isinstance(error, ClientDisconnect):
        refused = Refused("the client has gone")
        refused.status = CLIENT_CLOSED_REQUEST
        return refused
    if isinstance(error, HTTPException):
        refused = Refused(error.detail, headers=error.headers)
        refused.status = error.status_code
        return refused
    return None


def _note(refused: Refused, scope: Scope) -> None:
    level = _log.warning if refused.status >= 500 else _log.info if refused.detail else _log.debug
    level(
        "refused",
        path=scope["path"],
        status=refused.status,
        code=refused.code,
        description=refused.description,
        detail=refused.detail,
    )


def _bearer_challenge(refused: Refused, scope: Scope) -> str | None:
    """RFC 6750 section 3, for callers that did present an access token, in the scheme that they used (RFC 9449
    section 7.1): a challenge on any other answer makes some clients hide the JSON."""
    if not isinstance(refused, InvalidToken | InsufficientScope):
        return None
    schemes = {value.partition(b" ")[0].lower() for name, value in scope["headers"] if name == b"authorization"}
    used = next((word for name, word in _TOKEN_SCHEMES.items() if name in schemes), None)
    described = f'error="{refused.code}", error_description="{_quotable(refused.description)}"'
    return None if used is None else f"{used} {described}"


def _quotable(text: str) -> str:
    """The characters RFC 6750 section 3 allows in error_description."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)


def _json(
    status: int, code: str, description: str, headers: Mapping[str, str], extra: Mapping[str, object]
) -> Response:
    body = {"error": code, "error_description": description, **extra}
    return JSONResponse(body, status, headers={**NO_STORE, **headers})
