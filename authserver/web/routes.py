"""The whole URL table, and which endpoint is given which service.

The fields of an endpoint are its permissions: what is not handed over here is out of its reach.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from authserver.administration.token_target import TokenTarget
from authserver.oauth.metadata import Abilities, authorization_server_metadata
from authserver.services import Services
from authserver.web import admin
from authserver.web.answers import look
from authserver.web.applied import AppliedEndpoint
from authserver.web.authorize import AuthorizeEndpoint
from authserver.web.challenge import ChallengeEndpoint
from authserver.web.current import CurrentSession
from authserver.web.device_authorization import DeviceAuthorizationEndpoint
from authserver.web.feed_guard import FeedGuard
from authserver.web.forward_auth import ForwardAuthEndpoint
from authserver.web.health import HealthEndpoint, MetricsEndpoint, ReadyEndpoint, readiness
from authserver.web.introspect import IntrospectEndpoint
from authserver.web.login import LoginEndpoint
from authserver.web.logout import LogoutEndpoint
from authserver.web.par import ParEndpoint
from authserver.web.possession import Possession, TokenReader
from authserver.web.proof import ProofOfPossession
from authserver.web.revocations import StreamEndpoint, TailEndpoint
from authserver.web.revoke import RevokeEndpoint
from authserver.web.routes_openid import openid_routes
from authserver.web.routes_pages import page_routes
from authserver.web.routes_registration import admin_registration_routes, registration_routes
from authserver.web.routing import Rule, rule
from authserver.web.sessions import SessionEndpoint, SessionItemEndpoint, SessionsEndpoint
from authserver.web.streams import Streams
from authserver.web.tiles import SnapshotEndpoint, TileEndpoint
from authserver.web.token import TokenEndpoint
from authserver.web.wellknown import JwksEndpoint, MetadataEndpoint

METADATA = "/.well-known/oauth-authorization-server"
OPENID_CONFIGURATION = "/.well-known/openid-configuration"
FEED = "/revocations"


def routes(services: Services) -> list[Rule]:
    """Every rule of the server."""
    table = [
        *_oauth(services),
        *_feed(services),
        *_first_party(services),
        *page_routes(services),
        *openid_routes(services, _possession(services)),
        *registration_routes(services),
        *_admin(services),
        *_operation(services),
    ]
    return [*_discovery(services, table), *table]


def _oauth(s: Services) -> Iterable[Rule]:
    proof = _proof(s)
    token = TokenEndpoint(s.client_auth, s.grants, s.issuance, proof, s.client_usage.note)
    authorize = AuthorizeEndpoint(s.authorization_requests, s.authorization_flow, s.sessions, s.now)
    return (
        rule("/authorize", get=authorize.get, head=look, post=authorize.post, page=True),
        rule("/authorize/continue", get=authorize.resume, head=look, page=True),
        rule("/par", post=ParEndpoint(s.client_auth, s.authorization_requests, proof).post),
        rule(
            "/device_authorization", post=DeviceAuthorizationEndpoint(s.client_auth, s.device_authorization, proof).post
        ),
        rule("/authorize-challenge", post=_challenge(s, proof).post),
        rule("/token", post=token.post, cors=True),
        rule("/introspect", post=IntrospectEndpoint(s.client_auth, s.introspector).post),
        rule("/revoke", post=RevokeEndpoint(s.client_auth, s.token_revocation, s.publication).post, cors=True),
    )


def _challenge(s: Services, proof: ProofOfPossession) -> ChallengeEndpoint:
    return ChallengeEndpoint(s.client_auth, s.authorization_requests, s.authorization_challenge, proof, s.issuer)


def _feed(s: Services) -> Iterable[Rule]:
    """Pages of any origin may read what anybody may."""
    guard, public = FeedGuard(s.feed_access, s.client_auth), s.feed_access == "public"
    tile, snapshot = TileEndpoint(s.tiles, guard), SnapshotEndpoint(s.log_store, guard)
    return (
        rule(f"{FEED}/tail", get=TailEndpoint(s.feed, guard).get, cors=public),
        rule(f"{FEED}/stream", get=StreamEndpoint(Streams(s.feed), guard).get, cors=public),
        rule(f"{FEED}/applied", post=AppliedEndpoint(s.client_auth, s.applied).post),
        rule(f"{FEED}/{{log}}/tiles/{{n}}", get=tile.get, cors=public),
        rule(f"{FEED}/{{log}}/snapshots/{{seq}}", get=snapshot.get, cors=public),
    )


def _discovery(s: Services, table: Iterable[Rule]) -> Iterable[Rule]:
    """The metadata is derived from the table; an issuer with a path is asked for it in both forms (RFC 8414 section 3.1
    inserts the well-known part before the path, OpenID Connect Discovery section 4 appends it)."""
    paths = ["/.well-known/jwks.json", *(r.path for r in table)]
    abilities = Abilities(
        auth_methods=s.client_auth.methods,
        auth_algorithms=s.client_auth.signing_algorithms,
        signing_algorithms=s.rotation.policy.algorithms,
        client_documents=s.client_documents,
    )
    document = authorization_server_metadata(s.issuer, paths=paths, grant_types=list(s.grants), abilities=abilities)
    metadata = MetadataEndpoint(document)
    yield rule("/.well-known/jwks.json", get=JwksEndpoint(s.keys).get, cors=True)
    issuer_path = urlsplit(s.issuer).path
    for well_known in (METADATA, OPENID_CONFIGURATION):
        yield rule(well_known, get=metadata.get, cors=True)
        if issuer_path:
            yield rule(well_known + issuer_path, get=metadata.get, cors=True)


def _first_party(s: Services) -> Iterable[Rule]:
    reader = _reader(s)
    current = CurrentSession(s.sessions, s.issuer, reader)
    sessions = SessionsEndpoint(current, s.sessions, s.publication)
    # A proxy may ask with the method of the request that it is about to pass on.
    ask = ForwardAuthEndpoint(s.sessions, s.client_cache, s.access_tokens, reader, s.issuance, s.now).get
    return (
        rule("/login", post=LoginEndpoint(s.login, s.client_auth, s.issuance, _proof(s), s.issuer, s.now).post),
        rule("/logout", post=LogoutEndpoint(current, s.sessions, s.publication).post),
        rule("/session", get=SessionEndpoint(current, s.users).get),
        rule("/sessions", get=sessions.get, delete=sessions.delete),
        rule("/sessions/{session_id}", delete=SessionItemEndpoint(current, s.sessions, s.publication).delete),
        rule("/forward-auth", get=ask, post=ask, put=ask, patch=ask, delete=ask, options=ask),
    )


def _reader(s: Services) -> TokenReader:
    """Of access tokens that are shown to this server itself."""
    return TokenReader(s.access_tokens, _possession(s))


def _possession(s: Services) -> Possession:
    return Possession(_proof(s), s.client_cache)


def _proof(s: Services) -> ProofOfPossession:
    return ProofOfPossession(s.dpop, s.issuer)


def _admin(s: Services) -> Iterable[Rule]:
    guard = admin.AdminGuard(s.access_tokens, _reader(s), s.issuer, s.audit, s.audit_store)
    return (
        *_admin_revocations(s, guard),
        *_admin_users(s, guard),
        *_admin_clients(s, guard),
        *admin_registration_routes(s, guard),
        *_admin_keys(s, guard),
    )


def _admin_revocations(s: Services, guard: admin.AdminGuard) -> Iterable[Rule]:
    target = TokenTarget(s.access_tokens, s.refresh_handles)
    revocations = admin.AdminRevocationsEndpoint(
        guard, s.revoker, target, s.audit_store, s.now, s.access_token_ttl, s.publication
    )
    sessions = admin.AdminSessionsEndpoint(guard, s.session_store, s.now)
    session = admin.AdminSessionEndpoint(guard, s.session_store, s.revoker, s.now, s.publication)
    servers = admin.AdminResourceServersEndpoint(guard, s.resource_servers, s.log_store, s.now)
    return (
        rule("/admin/revocations", get=revocations.get, post=revocations.post),
        rule("/admin/sessions", get=sessions.get),
        rule("/admin/sessions/{session_id}", get=session.get, delete=session.delete),
        rule("/admin/resource-servers", get=servers.get),
        rule("/admin/audit", get=admin.AdminAuditEndpoint(guard, s.audit_store).get),
    )


def _admin_users(s: Services, guard: admin.AdminGuard) -> Iterable[Rule]:
    users = admin.AdminUsersEndpoint(guard, s.directory)
    user = admin.AdminUserEndpoint(guard, s.directory)
    return (
        rule("/admin/users", get=users.get, post=users.post),
        rule("/admin/users/{user_id}", get=user.get, patch=user.patch, delete=user.delete),
        rule("/admin/users/{user_id}/password", put=admin.AdminPasswordEndpoint(guard, s.directory).put),
    )


def _admin_clients(s: Services, guard: admin.AdminGuard) -> Iterable[Rule]:
    clients = admin.AdminClientsEndpoint(guard, s.client_directory)
    client = admin.AdminClientEndpoint(guard, s.client_directory)
    secrets = admin.AdminClientSecretsEndpoint(guard, s.client_directory)
    secret = admin.AdminClientSecretEndpoint(guard, s.client_directory)
    return (
        rule("/admin/clients", get=clients.get, post=clients.post),
        rule("/admin/clients/{client_id}", get=client.get, patch=client.patch, delete=client.delete),
        rule("/admin/clients/{client_id}/secrets", post=secrets.post),
        rule("/admin/clients/{client_id}/secrets/{secret_id}", delete=secret.delete),
    )


def _admin_keys(s: Services, guard: admin.AdminGuard) -> Iterable[Rule]:
    return (
        rule("/admin/keys", get=admin.AdminKeysEndpoint(guard, s.key_directory).get),
        rule("/admin/keys/rotate", post=admin.AdminRotateEndpoint(guard, s.key_directory, s.publication).post),
    )


def _operation(s: Services) -> Iterable[Rule]:
    return (
        rule("/healthz", get=HealthEndpoint().get),
        rule("/readyz", get=ReadyEndpoint(readiness(s.maintenance, s.keys, s.client_cache, s.feed, s.log_fault)).get),
        rule("/metrics", get=MetricsEndpoint().get),
    )
