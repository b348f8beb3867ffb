"""The authorization endpoint's services: requests, the flow of a browser, remembered consent, the code grant."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.oauth.authorization import AuthorizationFlow
from authserver.oauth.authorization_requests import AuthorizationRequests
from authserver.oauth.consent import Consents
from authserver.oauth.grants import AuthorizationCodeGrant
from authserver.oauth.opening import Openings
from authserver.oauth.public_limit import PublicLimit
from authserver.oauth.request_objects import RequestObjects
from authserver.storage.interface import ClientLookup
from authserver.tokens.client_keys import ClientKeys
from authserver.tokens.handles import References
from authserver.tokens.id_token_hint import IdTokenHints
from authserver.tokens.sealed import Sealed
from authserver.wiring.parts import Ground, Tokens


@dataclass(frozen=True, slots=True)
class AuthorizationParts:
    flow: AuthorizationFlow
    requests: AuthorizationRequests
    consents: Consents
    grant: AuthorizationCodeGrant

    @classmethod
    def of(cls, ground: Ground, tokens: Tokens, clients: ClientLookup, client_keys: ClientKeys) -> AuthorizationParts:
        """`clients`: the exact way to look one up."""
        stores, now, issuer = ground.stores, ground.now, ground.settings.issuer
        codes = References(ground.master, "authorization code")
        consents = Consents(stores.consents, ground.audit, ground.bus, now)
        flow = AuthorizationFlow(
            sealed=Sealed(ground.master, "authorization request"),
            codes=codes,
            clients=clients,
            authorizations=stores.authorizations,
            once=stores.once,
            consents=consents,
            subjects=tokens.subjects,
            audit=ground.audit,
            issuer=issuer,
            now=now,
        )
        requests = AuthorizationRequests(
            clients=clients,
            authorizations=stores.authorizations,
            references=References(ground.master, "pushed request"),
            objects=RequestObjects(client_keys, stores.once, issuer, now),
            hints=IdTokenHints(tokens.id_tokens, tokens.keys),
            limit=PublicLimit(stores.throttle, now),
            issuer=issuer,
            now=now,
        )
        grant = AuthorizationCodeGrant(
            codes=codes,
            authorizations=stores.authorizations,
            sessions=stores.sessions,
            openings=Openings(tokens.refresh_handles, ground.session_policy, now),
            audit=ground.audit,
            bus=ground.bus,
            now=now,
        )
        return cls(flow, requests, consents, grant)
