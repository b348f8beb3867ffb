"""The grant for assertions of other issuers, where there are any that are trusted."""

from __future__ import annotations

from authserver.oauth.grants import Grant, JwtBearerGrant
from authserver.outgoing import OutgoingRefused
from authserver.settings import SettingsError
from authserver.storage.interface import ClientLookup
from authserver.tokens.client_keys import ClientKeys
from authserver.wiring.parts import Ground


def assertion_grants(ground: Ground, keys: ClientKeys, clients: ClientLookup) -> tuple[Grant, ...]:
    """None without trusted issuers: what nobody can use is not announced. Raises SettingsError."""
    trusted = ground.settings.trusted_issuers
    by_name = {source.issuer: source for source in trusted}
    if len(by_name) != len(trusted) or ground.settings.issuer in by_name:
        raise SettingsError("trusted_issuers: each issuer once, and not this server itself")
    for source in trusted:
        try:
            ground.outgoing.check(source.jwks_uri)
        except OutgoingRefused as refused:
            raise SettingsError(f"trusted_issuers: the jwks_uri of {source.issuer} {refused}") from None
    if not trusted:
        return ()
    stores = ground.stores
    grant = JwtBearerGrant(
        trusted=by_name,
        keys=keys,
        users=stores.users,
        clients=clients,
        once=stores.once,
        audit_store=stores.audit,
        audit=ground.audit,
        issuer=ground.settings.issuer,
        now=ground.now,
    )
    return (grant,)
