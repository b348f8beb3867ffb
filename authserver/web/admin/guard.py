"""Who may call the admin API: a program with a living access token of this issuer and an admin scope.

Never a cookie, so a cross-site request carries no authority; never a user's token, whatever its
scope: scopes belong to clients, and a log-in through a privileged client must not make every
user an administrator (docs/decisions/0040).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request

from authserver.administration.clients import Permit
from authserver.administration.scopes import ADMIN, ADMIN_SCOPES
from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.model.audit import Caller
from authserver.model.client import Client
from authserver.model.errors import InsufficientScope, InvalidToken
from authserver.storage.interface import AuditStore
from authserver.tokens.claims import AccessTokenClaims
from authserver.web.caller import caller_of
from authserver.web.possession import TokenReader


class TokenAuthenticator(Protocol):
    """`tokens.validation.AccessTokens`, as far as this guard needs it."""

    async def authenticate(self, token: str) -> tuple[AccessTokenClaims, object]: ...


@dataclass(frozen=True, slots=True)
class Administrator:
    """An admitted caller: who, for the audit log, and with which scopes."""

    caller: Caller
    scopes: frozenset[str]

    def holds(self, scope: str) -> bool:
        """Whether it may do what `scope` allows, and so may hand that scope to another client."""
        return ADMIN in self.scopes or scope in self.scopes


@dataclass(frozen=True, slots=True)
class AdminGuard:
    tokens: TokenAuthenticator
    reader: TokenReader
    issuer: str
    """The audience that an admin token must name."""
    audit: AuditLog
    refusals: AuditStore

    async def admit(self, request: Request, *scopes: str) -> Administrator:
        """The caller, if its token carries `admin` or any of `scopes`.

        Raises InvalidToken (401, RFC 6750 section 3) without a living token meant for the issuer,
        InsufficientScope (403) for a genuine one that may not do this; the latter is audited.
        """
        claims = await self._claims(request)
        held = frozenset(claims.scope)
        if claims.sub != claims.client_id or claims.sid is not None:
            await self._refused(request, claims)
            raise _insufficient("tokens of users are not accepted here; use a client of its own", scopes)
        if ADMIN not in held and not held & set(scopes):
            await self._refused(request, claims)
            raise _insufficient(f"this needs one of the scopes {', '.join((ADMIN, *scopes))}", scopes)
        return Administrator(caller_of(request, f"client:{claims.client_id}"), held)

    async def may_manage(self, administrator: Administrator, client: Client) -> None:
        """Raises InsufficientScope for a client with an admin scope that the caller does not hold: whoever
        manages clients could otherwise hand itself, or take over, every other right."""
        beyond = [scope for scope in client.scopes if scope in ADMIN_SCOPES and not administrator.holds(scope)]
        if beyond:
            await self._tell(administrator.caller, client_id=client.id, beyond=beyond)
            raise _insufficient(f"this client has more rights than the caller: {', '.join(beyond)}", tuple(beyond))

    def manager(self, administrator: Administrator) -> Permit:
        """`may_manage` for this caller, to be handed to the client directory."""

        async def permit(client: Client) -> None:
            await self.may_manage(administrator, client)

        return permit

    async def _claims(self, request: Request) -> AccessTokenClaims:
        token = await self.reader.token_of(request)
        if token is None:
            # RFC 6750 section 3.1: no error code for a request without any credentials.
            raise InvalidToken("this needs an access token with an admin scope", headers={"WWW-Authenticate": "Bearer"})
        claims, _ = await self.tokens.authenticate(token)
        if self.issuer not in claims.aud:
            raise InvalidToken("the token is not meant for this server", headers=_challenge("invalid_token"))
        return claims

    async def _refused(self, request: Request, claims: AccessTokenClaims) -> None:
        user_id = None if claims.sub == claims.client_id else claims.sub
        caller = caller_of(request, f"user:{user_id}" if user_id else f"client:{claims.client_id}")
        await self._tell(
            caller, user_id=user_id, client_id=claims.client_id, method=request.method, path=request.url.path[:200]
        )

    async def _tell(self, caller: Caller, **facts: Any) -> None:
        """A caller in a loop does not fill the log."""
        if self.audit.may_tell(EventType.ADMIN_REFUSED, caller.actor):
            await self.refusals.append(self.audit.event(EventType.ADMIN_REFUSED, caller, **facts))


Guard = Callable[..., Awaitable[Administrator]]


def _challenge(error: str, scopes: tuple[str, ...] = ()) -> dict[str, str]:
    scope = f', scope="{" ".join((ADMIN, *scopes))}"' if scopes else ""
    return {"WWW-Authenticate": f'Bearer error="{error}"{scope}'}


def _insufficient(description: str, scopes: tuple[str, ...]) -> InsufficientScope:
    return InsufficientScope(description, headers=_challenge("insufficient_scope", scopes))
