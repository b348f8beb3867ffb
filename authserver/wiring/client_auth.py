"""How clients authenticate here, as the settings want it."""

from __future__ import annotations

from authserver.model.client import AuthMethod
from authserver.oauth.client_auth import METHODS, ClientAuthenticator, Signed
from authserver.oauth.client_proofs import Assertions, Certificates
from authserver.settings import Settings
from authserver.storage.interface import ClientLookup
from authserver.tokens.client_keys import ClientKeys
from authserver.tokens.derived_secrets import DerivedSecrets
from authserver.wiring.parts import Ground


def client_auth_methods(settings: Settings) -> tuple[AuthMethod, ...]:
    """Those that can work with these settings."""
    off: set[AuthMethod] = set()
    if not settings.client_secret_jwt:
        off.add("client_secret_jwt")
    if settings.client_certificate_header is None:
        off.add("self_signed_tls_client_auth")
    if settings.client_certificate_verified_header is None:
        off.add("tls_client_auth")
    return tuple(method for method in METHODS if method not in off)


def client_authenticator(ground: Ground, keys: ClientKeys, clients: ClientLookup) -> ClientAuthenticator:
    """`clients`: the fast way to look one up."""
    assertions = Assertions(keys, DerivedSecrets(ground.master), ground.settings.issuer)
    return ClientAuthenticator(
        clients,
        ground.now,
        ground.stores.clients,
        client_auth_methods(ground.settings),
        Signed(assertions, Certificates(keys), ground.stores.once),
    )
