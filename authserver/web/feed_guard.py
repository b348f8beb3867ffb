"""Who may read the revocation feed, and who says what was applied."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from authserver.model.client import Client
from authserver.oauth.client_auth import ClientAuthenticator
from authserver.oauth.errors import InvalidClient
from authserver.oauth.form import Form
from authserver.services import FeedAccess
from authserver.web.presented import presented


@dataclass(frozen=True, slots=True)
class FeedGuard:
    """Who may read the feed, and what caches may do with what they read."""

    access: FeedAccess
    clients: ClientAuthenticator

    async def admit(self, request: Request) -> None:
        """Raises InvalidClient (401) where only clients may read."""
        if self.access == "clients":
            await authenticated(self.clients, request)

    def cache_control(self, directives: str) -> dict[str, str]:
        """A shared cache would hand to anybody what only clients may have."""
        if self.access == "public":
            return {"Cache-Control": f"public, {directives}"}
        return {"Cache-Control": f"private, {directives}", "Vary": "Authorization"}


async def authenticated(clients: ClientAuthenticator, request: Request) -> Client:
    """The confidential client of a request whose only credentials are in the Authorization header."""
    if request.headers.get("authorization") is None:
        raise InvalidClient("client authentication is missing", challenge=True)
    return await clients.authenticate(presented(request, Form({})))
