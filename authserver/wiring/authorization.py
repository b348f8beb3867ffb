"""The authorization endpoint's services: requests, the flow of a browser, remembered consent, the code grant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from authserver.model.client import Client
from authserver.model.time import Instant
from authserver.oauth.authorization import AuthorizationFlow
from authserver.oauth.authorization_requests import AuthorizationRequests
from authserver.oauth.consent import Consents
from authserver.oauth.errors import RequestNotSupported
from authserver.oauth.grants import AuthorizationCodeGrant
from authserver.oauth.opening import Openings
from authserver.oauth.request_objects import RequestObjects
from authserver.oauth.subjects import Subjects
from authserver.storage.interface import ClientLookup
from authserver.tokens.handles import References
from authserver.tokens.id_token_hint import IdTokenHints
from authserver.tokens.sealed import Sealed
from authserver.wiring.parts import Ground, Tokens


class _NoClientJwts:
    """Until there are any."""

    async def verify(
        self,
        token: str,
        client: Client,
        *,
        audience: Collection[str],
        issuer: str,
        typ: Collection[str | None],
        algorithms: Collection[str],
        now: Instant,
    ) -> Mapping[str, Any]:
        raise RequestNotSupported("request objects are not supported")


@dataclass(frozen=True, slots=True)
class AuthorizationParts:
    flow: AuthorizationFlow
    requests: AuthorizationRequests
    consents: Consents
    grant: AuthorizationCodeGrant

    @classmethod
    def of(cls, ground: Ground, tokens: Tokens, clients: ClientLookup, subjects: Subjects) -> AuthorizationParts:
        """`clients`: the exact way to look one up."""
        stores, now, issuer = ground.stores, ground.now, ground.settings.issuer
        codes = References(ground.master, "authorization code")
        consents = Consents(stores.consents, ground.audit, ground.bus, now)
        flow = AuthorizationFlow(
            sealed=Sealed(ground.master, "authorization request"),
            codes=codes,
            clients=clients,
            authorizations=stores.authorizations,
            consents=consents,
            subjects=subjects,
            audit=ground.audit,
            issuer=issuer,
            now=now,
        )
        requests = AuthorizationRequests(
            clients=clients,
            authorizations=stores.authorizations,
            references=References(ground.master, "pushed request"),
            objects=RequestObjects(_NoClientJwts(), stores.once, issuer, now),
            hints=IdTokenHints(tokens.id_tokens),
            issuer=issuer,
            now=now,
        )
        grant = AuthorizationCodeGrant(
            codes=codes,
            authorizations=stores.authorizations,
            sessions=stores.sessions,
            consents=stores.consents,
            openings=Openings(tokens.refresh_handles, ground.session_policy, now),
            audit=ground.audit,
            bus=ground.bus,
            now=now,
        )
        return cls(flow, requests, consents, grant)
