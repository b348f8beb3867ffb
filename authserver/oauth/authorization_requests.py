"""Where an authorization request comes from: plain parameters, a request object, or pushed before (RFC 9126)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from authserver.clock import Clock
from authserver.model.authorization import AuthorizationRequest, PushedRequest
from authserver.model.client import Client
from authserver.model.errors import InvalidToken
from authserver.model.time import SECOND, Duration
from authserver.oauth.authorization import FLOW_LIFE, still_stands
from authserver.oauth.authorization_request import CHECKS, Draft, ReturnAddress, Via, redirect_uri, state
from authserver.oauth.errors import InvalidRequest, InvalidRequestUri, OAuthError, RequestUriNotSupported
from authserver.oauth.form import Form
from authserver.oauth.public_limit import PublicLimit
from authserver.oauth.request_objects import RequestObjects
from authserver.storage.interface import AuthorizationStore, ClientLookup
from authserver.tokens.handles import MalformedHandle, References
from authserver.tokens.id_token_hint import IdTokenHints

REQUEST_URI: Final = "urn:ietf:params:oauth:request_uri:"
PUSHED_LIFE: Final[Duration] = 60 * SECOND
"""In which the browser must come; how long its user then takes is counted like everybody's."""


class RefusedRequest(Exception):
    """An error that is to be told to the client, through the browser; `request` is what was right about it."""

    def __init__(self, error: OAuthError, client: Client, request: AuthorizationRequest) -> None:
        super().__init__(error.description)
        self.error = error
        self.client = client
        self.request = request


class ReadRequest(NamedTuple):
    client: Client
    request: AuthorizationRequest
    pushed: bytes | None = None
    """Hash of the pushed request that it is."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequests:
    clients: ClientLookup
    """The exact way: an unknown client costs the same query as a known one."""
    authorizations: AuthorizationStore
    references: References
    objects: RequestObjects
    hints: IdTokenHints
    limit: PublicLimit
    issuer: str
    now: Clock

    async def read(self, form: Form) -> ReadRequest:
        """Of GET /authorize. Raises RefusedRequest when the client is to be told, else an OAuthError."""
        client = await self._client(form.require("client_id"))
        if form.get("request_uri") is not None and form.get("request") is None:
            return await self._pushed(form, client)
        return ReadRequest(client, await self._checked(Draft(client, form, self.issuer)))

    async def push(
        self, client: Client, form: Form, *, address: str, dpop_jkt: str | None = None
    ) -> tuple[str, Duration]:
        """The request_uri of a request that is right from the first parameter to the last, and its life.

        `address`: where it comes from; `dpop_jkt`: of the proof that came with it (RFC 9449 section 10.1). Raises
        OAuthError, TooManyRequests.
        """
        if form.get("request_uri") is not None:
            raise InvalidRequest("request_uri cannot be pushed (RFC 9126 section 2.1)")
        request = await self.of(client, form, via="push", dpop_jkt=dpop_jkt)
        await self.limit.admit(client, "pushed request", address)
        (text, sha256), now = self.references.new(), self.now()
        pushed = PushedRequest(
            handle_hash=sha256,
            client_id=client.id,
            request=request,
            created_at=now,
            # The row is spent when the code is issued, which may be after a long log-in.
            expires_at=now + PUSHED_LIFE + FLOW_LIFE,
        )
        await self.authorizations.push(pushed)
        return REQUEST_URI + text, PUSHED_LIFE

    async def of(self, client: Client, form: Form, *, via: Via, dpop_jkt: str | None = None) -> AuthorizationRequest:
        """Of a client that has authenticated itself, and is told of errors in the answer."""
        if form.get("client_id") not in (None, client.id):
            raise InvalidRequest("client_id is not the client that authenticated")
        try:
            return _bound_to(await self._checked(Draft(client, form, self.issuer, via=via)), dpop_jkt)
        except RefusedRequest as refused:
            raise refused.error from None

    async def _client(self, client_id: str) -> Client:
        client = await self.clients.get(client_id)
        if client is None or not client.enabled:
            raise InvalidRequest("there is no client with this client_id", detail=f"client {client_id[:100]}")
        return client

    async def _checked(self, draft: Draft) -> AuthorizationRequest:
        try:
            if draft.form.get("request") is not None:
                await self._unpack(draft)
            for check in CHECKS:
                check(draft)
            request = draft.finished()
            return await self._with_hint(request)
        except OAuthError as error:
            if draft.address is None:
                raise
            raise _told(draft, draft.address, error) from None

    async def _unpack(self, draft: Draft) -> None:
        """From here on the object alone counts, whatever stands beside it (RFC 9101 section 6.3)."""
        outside = draft.form
        with suppress(OAuthError):  # so that a client whose object is refused can be told
            redirect_uri(draft)
            state(draft)
        if outside.get("request_uri") is not None:
            raise InvalidRequest("request and request_uri are given together")
        draft.form = await self.objects.parameters(outside.require("request"), draft.client)
        draft.signed, draft.address, draft.settled = True, None, {}

    async def _with_hint(self, request: AuthorizationRequest) -> AuthorizationRequest:
        """The `sub` instead of the token that told it."""
        if request.id_token_hint is None:
            return request
        try:
            hint = await self.hints.read(request.id_token_hint)
        except InvalidToken as error:
            raise InvalidRequest("id_token_hint is not an id token of this server", detail=str(error)) from None
        if hint.client_id != request.client_id:
            raise InvalidRequest("id_token_hint was issued to another client")
        return replace(request, id_token_hint=hint.subject)

    async def _pushed(self, form: Form, client: Client) -> ReadRequest:
        """Beside request_uri only client_id counts (RFC 9126 section 4)."""
        request_uri = form.require("request_uri")
        if not request_uri.startswith(REQUEST_URI):
            raise self._told(form, client, RequestUriNotSupported("request_uri must be one that was pushed here"))
        try:
            sha256 = self.references.parse(request_uri.removeprefix(REQUEST_URI))
        except MalformedHandle:
            raise InvalidRequestUri("request_uri is not valid", detail="not one of ours") from None
        pushed = await self.authorizations.pushed(sha256, now=self.now())
        if pushed is None or pushed.client_id != client.id or pushed.created_at + PUSHED_LIFE <= self.now():
            raise InvalidRequestUri("request_uri is not valid: unknown, used, expired or another client's")
        if not still_stands(pushed.request, client):
            raise InvalidRequestUri("what was pushed may not be asked for by this client any more")
        return ReadRequest(client, pushed.request, sha256)

    def _told(self, form: Form, client: Client, error: OAuthError) -> Exception:
        """As an answer to the client where the request says beyond doubt where that goes."""
        draft = Draft(client, form, self.issuer)
        with suppress(OAuthError):
            redirect_uri(draft)
            state(draft)
        return error if draft.address is None else _told(draft, draft.address, error)


def _told(draft: Draft, address: ReturnAddress, error: OAuthError) -> RefusedRequest:
    silent = ("none",) if draft.form.first.get("prompt") == "none" else ()
    request = AuthorizationRequest(client_id=draft.client.id, prompt=silent, **address._asdict())
    return RefusedRequest(error, draft.client, request)


def _bound_to(request: AuthorizationRequest, dpop_jkt: str | None) -> AuthorizationRequest:
    if dpop_jkt is None:
        return request
    if request.dpop_jkt not in (None, dpop_jkt):
        raise InvalidRequest("dpop_jkt is not the key of the DPoP proof (RFC 9449 section 10.1)")
    return replace(request, dpop_jkt=dpop_jkt)
