"""The part of the URL table for clients that come by themselves."""

from __future__ import annotations

from collections.abc import Iterable

from authserver.services import Services
from authserver.web import admin
from authserver.web.register import PATH, RegisteredClientEndpoint, RegisterEndpoint
from authserver.web.routing import Rule, rule


def registration_routes(s: Services) -> Iterable[Rule]:
    """Nothing while REGISTRATION is off, so that the metadata does not announce it either."""
    if s.registrar.mode == "off":
        return ()
    client = RegisteredClientEndpoint(s.registrar, s.issuer)
    return (
        rule(PATH, post=RegisterEndpoint(s.registrar, s.issuer).post),
        rule(f"{PATH}/{{client_id}}", get=client.get, put=client.put, delete=client.delete),
    )


def admin_registration_routes(s: Services, guard: admin.AdminGuard) -> Iterable[Rule]:
    tokens = admin.AdminRegistrationTokensEndpoint(guard, s.initial_tokens)
    token = admin.AdminRegistrationTokenEndpoint(guard, s.initial_tokens)
    renewed = admin.AdminClientRegistrationTokenEndpoint(guard, s.registrar)
    return (
        rule("/admin/registration-tokens", get=tokens.get, post=tokens.post),
        rule("/admin/registration-tokens/{token_id}", delete=token.delete),
        rule("/admin/clients/{client_id}/registration-token", post=renewed.post),
    )
