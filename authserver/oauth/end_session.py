"""What an application that asks for a log-out may have (OpenID Connect RP-Initiated Logout 1.0).

Two questions, answered apart: whether the user must be asked first, and whether the browser is sent back afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from authserver.model.client import Client
from authserver.model.errors import InvalidToken
from authserver.model.session import Session
from authserver.oauth.form import Form
from authserver.storage.interface import ClientLookup, FamilyStore
from authserver.tokens.id_token_hint import IdTokenHint

PARAMETERS = ("id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales")


class ReadsHints(Protocol):
    """`tokens.id_token_hint.IdTokenHints`."""

    async def read(self, token: str) -> IdTokenHint: ...


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    client: Client | None = None
    """Who asks, as far as it can be known: by a good hint or, unproven, by `client_id`."""
    hint: IdTokenHint | None = None
    """Good, and this client's."""
    redirect_to: str | None = None
    """Where the browser goes afterwards, `state` included; None: it stays here."""


NOBODY = LogoutRequest()


@dataclass(frozen=True, slots=True)
class EndSession:
    hints: ReadsHints
    clients: ClientLookup
    families: FamilyStore

    async def read(self, form: Form) -> LogoutRequest:
        """Raises InvalidRequest for a repeated parameter only: whatever else is wrong with a request makes it one of
        nobody, for which the user is asked and the browser is sent nowhere."""
        asked = {name: form.get(name) for name in PARAMETERS}
        hint = await self._hint(asked["id_token_hint"])
        if asked["id_token_hint"] is not None and hint is None:
            return NOBODY
        if hint is not None and asked["client_id"] not in (None, hint.client_id):
            return NOBODY
        client_id = asked["client_id"] if hint is None else hint.client_id
        client = None if client_id is None else await self.clients.get(client_id)
        if client is None or not client.enabled:
            return NOBODY
        if hint is None and client.origin != "admin":
            # Anybody can register anything: without an id token nobody vouches for where its link leads (section 2).
            return LogoutRequest(client)
        return LogoutRequest(client, hint, _way_back(client, asked["post_logout_redirect_uri"], asked["state"]))

    async def names(self, request: LogoutRequest, session: Session) -> bool:
        """Whether the hint is of a log-in of this client in this very session, and so of its user: then nobody needs to
        be asked."""
        if request.client is None or request.hint is None:
            return False
        family = await self.families.get(request.hint.family_id)
        return family is not None and (family.session_id, family.client_id) == (session.id, request.client.id)

    async def _hint(self, token: str | None) -> IdTokenHint | None:
        if token is None:
            return None
        try:
            return await self.hints.read(token)
        except InvalidToken:
            return None


def _way_back(client: Client, uri: str | None, state: str | None) -> str | None:
    """Compared as texts (section 3), with nothing left open: not even the port on a loopback address."""
    if uri is None or uri not in client.post_logout_redirect_uris:
        return None
    if state is None:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'state': state})}"
