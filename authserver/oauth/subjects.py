"""By which `sub` a client knows a user (OpenID Connect Core section 8)."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from authserver.model.client import Client


@dataclass(frozen=True, slots=True)
class Subjects:
    """The user id itself, or for a client of `subject_type` "pairwise" a name that only its sector knows the user by:
    two sectors cannot find out by comparing them that two users are one. Both are stable, never reused, ASCII."""

    key: bytes = field(repr=False)
    """Derived from the master key; with another one every pairwise subject is another."""

    def of(self, client: Client, user_id: str) -> str:
        """36 characters, or 43 of base64url."""
        if client.subject_type == "public":
            return user_id
        named = f"{sector_of(client)}\0{user_id}".encode()
        return base64.urlsafe_b64encode(hmac.digest(self.key, named, "sha256")).rstrip(b"=").decode("ascii")


def sector_of(client: Client) -> str:
    """The host of the client's `sector_identifier_uri`; without one the only host of its redirect URIs (section 8.1).

    Where there is no such host, or several (which registration refuses), the client is a sector of its own.
    """
    if client.sector_identifier_uri is not None:
        return _host(client.sector_identifier_uri) or _alone(client)
    hosts = {_host(uri) for uri in client.redirect_uris}
    return (hosts.pop() if len(hosts) == 1 else None) or _alone(client)


def _host(uri: str) -> str | None:
    return urlsplit(uri).hostname


def _alone(client: Client) -> str:
    """No host has a space in it."""
    return f"client {client.id}"
