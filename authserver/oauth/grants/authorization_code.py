"""Trade an authorization code for tokens (RFC 6749 section 4.1.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.audit import AuditEvent, Caller
from authserver.model.authorization import AuthorizationCode
from authserver.model.client import Client
from authserver.model.grant import Authorization, Confirmation, OpenIdFacts, Terms
from authserver.model.session import Session
from authserver.oauth.authorization_details import narrow_details
from authserver.oauth.errors import InvalidGrant, InvalidRequest
from authserver.oauth.form import Form
from authserver.oauth.opening import Granted, Openings
from authserver.oauth.pkce import proves
from authserver.oauth.scopes import narrow_resources
from authserver.storage.channels import tell_revoked
from authserver.storage.interface import AuthorizationStore, Bus, SessionStore
from authserver.tokens.handles import MalformedHandle, References

NOT_VALID = "authorization code is not valid for this client"
"""For whatever is no code of this client: unknown, forged, another client's."""
REPLAYED = "authorization code was used before, or taken back; everything that came from it has ended"
EXPIRED = "authorization code has expired"
OVER = "authorization code is not valid any more: the session that it stands on has ended"


@dataclass(frozen=True, slots=True)
class AuthorizationCodeGrant:
    """A code seen twice ends everything it gave, if everything else is right about the second request too: whoever
    merely saw a code cannot log anybody out with it (OAuth 2.1 section 4.1.3)."""

    codes: References
    authorizations: AuthorizationStore
    sessions: SessionStore
    openings: Openings
    audit: AuditLog
    bus: Bus
    now: Clock
    grant_type: str = "authorization_code"

    async def redeem(
        self, client: Client, form: Form, caller: Caller, confirmation: Confirmation | None = None
    ) -> Authorization:
        code = await self._find(client, form.require("code"))
        _check_sender(code, form, confirmation)
        audience = narrow_resources(code.request.resources, form.all("resource") or code.request.resources)
        details = narrow_details(code.request.authorization_details, form.get("authorization_details"))
        if code.spent_at is not None:
            raise await self._replayed(code, client, caller)
        granted = _granted(code, client, confirmation)
        opened = self.openings.of(granted, await self._session(code))
        # Every refusal is above; from here the code is spent, whatever follows.
        redeemed = await self.authorizations.redeem(
            code.handle_hash,
            at=self.now(),
            first=opened.first,
            event=self._event(EventType.CODE_REDEEMED, code, client, caller),
        )
        if redeemed == "spent":
            raise await self._replayed(code, client, caller)
        if isinstance(redeemed, str):
            raise InvalidGrant(EXPIRED if redeemed == "expired" else OVER, detail=f"family {code.family_id}")
        family = opened.family(redeemed)
        authorization = Authorization.of_family(
            family,
            client,
            scope=granted.scope,
            audience=audience,
            refresh_token=opened.refresh_token,
            scope_asked=code.request.scope_asked,
            confirmation=confirmation,
            openid=OpenIdFacts(code.request.nonce) if code.request.is_openid else None,
        )
        # The family keeps what was granted; only this access token has less.
        return replace(authorization, terms=replace(family.terms, authorization_details=details))

    async def _find(self, client: Client, text: str) -> AuthorizationCode:
        try:
            code = await self.authorizations.code(self.codes.parse(text))
        except MalformedHandle:
            raise InvalidGrant(NOT_VALID, detail="not one of our codes") from None
        if code is None or code.request.client_id != client.id:
            raise InvalidGrant(NOT_VALID, detail="unknown" if code is None else f"of client {code.request.client_id}")
        return code

    async def _session(self, code: AuthorizationCode) -> Session:
        """The living session that gave the code; raises InvalidGrant."""
        now = self.now()
        if code.expires_at <= now:
            raise InvalidGrant(EXPIRED, detail=f"family {code.family_id}")
        session = await self.sessions.get(code.grantor.session_id, now=now)
        if session is None:
            raise InvalidGrant(OVER, detail=f"family {code.family_id}")
        return session

    async def _replayed(self, code: AuthorizationCode, client: Client, caller: Caller) -> InvalidGrant:
        event = self._event(EventType.CODE_REPLAYED, code, client, caller)
        outcome = await self.authorizations.replayed(code.family_id, at=self.now(), event=event)
        if outcome.changed:
            await tell_revoked(self.bus)
        return InvalidGrant(REPLAYED, detail=f"family {code.family_id}")

    def _event(self, kind: EventType, code: AuthorizationCode, client: Client, caller: Caller) -> AuditEvent:
        return self.audit.event(
            kind,
            caller.acting_as(f"client:{client.id}"),
            user_id=code.grantor.user_id,
            client_id=client.id,
            session_id=code.grantor.session_id,
            family_id=code.family_id,
        )


def _granted(code: AuthorizationCode, client: Client, confirmation: Confirmation | None) -> Granted:
    return Granted(
        client=client,
        grantor=code.grantor,
        family_id=code.family_id,
        scope=code.request.scope,
        resources=code.request.resources,
        terms=Terms(authorization_details=code.request.authorization_details, claims=code.request.claims),
        confirmation=confirmation,
        client_version=code.client_version,
    )


def _check_sender(code: AuthorizationCode, form: Form, confirmation: Confirmation | None) -> None:
    """Whoever sends the code is who asked for it: the same redirect URI, the verifier, the key."""
    redirect_uri = form.get("redirect_uri")  # OAuth 2.1 has dropped it; if it is sent, it counts
    if redirect_uri not in (None, code.request.redirect_uri):
        raise InvalidGrant("redirect_uri is not the one of the authorization request")
    if redirect_uri is None and code.request.code_challenge is None and code.request.redirect_uri_given:
        raise InvalidGrant("redirect_uri is missing, and nothing else ties this code to whoever asked for it")
    _check_verifier(code.request.code_challenge, form.get("code_verifier"))
    bound_to = code.request.dpop_jkt
    if bound_to is not None and (
        confirmation is None or (confirmation.method, confirmation.thumbprint) != ("jkt", bound_to)
    ):
        raise InvalidGrant("authorization code is bound to another DPoP key (RFC 9449 section 10)")


def _check_verifier(challenge: str | None, verifier: str | None) -> None:
    """One if and only if there was the other (RFC 9700 section 2.1.1)."""
    if challenge is None and verifier is not None:
        raise InvalidRequest("code_verifier for a request that had no code_challenge (OAuth 2.1 section 3.2.4)")
    if challenge is not None and (verifier is None or not proves(verifier, challenge)):
        raise InvalidGrant("code_verifier does not match the code_challenge of the authorization request")
