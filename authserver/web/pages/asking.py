"""Which application asks, as people are shown it: its name says what it likes, its host and id cannot lie."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from authserver.model.client import Client
from authserver.web.display import host_of, is_on_this_device, visible_lines

SCOPES: Final[Mapping[str, str]] = {
    "openid": "Know that it is you, by an identifier of your account",
    "profile": "See your profile, such as your name, picture and language",
    "email": "See your e-mail address",
    "address": "See your postal address",
    "phone": "See your phone number",
    "offline_access": "Keep its access while you are away, until you withdraw it",
}
"""What the standard scopes mean (OpenID Connect Core sections 5.4 and 11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    name: str
    client_id: str
    host: str | None
    """Where the answer goes; None: nowhere, the application polls."""
    on_this_device: bool
    """A program on the reader's machine gets the answer, and any may pose as it."""
    vouched: bool
    """An administrator registered it; else it registered itself, or is known by the URL of its metadata."""
    site: str | None
    """Host of its home page."""
    links: Mapping[str, str]
    """Its own words about itself, on its own site."""

    @classmethod
    def by(cls, client: Client, redirect_uri: str | None) -> Asking:
        links = {"Privacy policy": client.policy_uri, "Terms of service": client.tos_uri}
        return cls(
            name=client.name,
            client_id=client.id,
            host=None if redirect_uri is None else host_of(redirect_uri),
            on_this_device=redirect_uri is not None and is_on_this_device(redirect_uri),
            vouched=client.origin == "admin",
            site=None if client.client_uri is None else host_of(client.client_uri),
            links={title: uri for title, uri in links.items() if uri is not None and _is_web(uri)},
        )


def described(scope: Iterable[str]) -> list[tuple[str, str | None]]:
    """Each scope with what it means; None: only its administrators know."""
    return [(name, SCOPES.get(name)) for name in scope]


def claim_names(claims: Mapping[str, object]) -> list[str]:
    """What the `claims` parameter asks to be told about the user (OpenID Connect Core section 5.5), the protocol's own
    claims aside."""
    members = [member for member in claims.values() if isinstance(member, Mapping)]
    return sorted({str(name) for member in members for name in member} - {"acr", "auth_time", "sub", "amr", "nonce"})


def readable(details: Iterable[Mapping[str, object]]) -> list[str]:
    """Authorization details (RFC 9396) as JSON in lines."""
    return [visible_lines(json.dumps(detail, indent=2, ensure_ascii=False)) for detail in details]


def _is_web(uri: str) -> bool:
    return urlsplit(uri).scheme in ("https", "http")
