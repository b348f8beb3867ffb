"""What clients may have that nobody vouches for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from authserver.administration.scopes import ADMIN_SCOPES
from authserver.model.client import Client
from authserver.registration.errors import InvalidClientMetadata

METHODS: Final = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")
"""How a client that registers itself may authenticate; certificates are for those whom an administrator knows."""
DOCUMENT_METHODS: Final = ("none", "private_key_jwt")
"""What everybody can read holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationPolicy:
    grant_types: tuple[str, ...]
    scopes: tuple[str, ...]
    resources: tuple[str, ...] = ()
    """All of them are every such client's; the first one is the default audience. Empty: the issuer alone."""

    def __post_init__(self) -> None:
        """Raises ValueError."""
        for scope in self.scopes:
            if scope in ADMIN_SCOPES:
                raise ValueError(f"{scope} administers this server and cannot be had by registering")

    def under(self, narrower: Mapping[str, object]) -> RegistrationPolicy:
        """As an initial access token changes it: a list that it names takes the place of the server's."""
        named = {name: tuple(value) for name, value in narrower.items() if isinstance(value, list | tuple)}
        return replace(self, **named)

    def beside(self, client: Client) -> RegistrationPolicy:
        """For a change: what the client has already, it may keep; an administrator may have added to it."""
        return replace(
            self,
            grant_types=_united(self.grant_types, client.grant_types),
            scopes=_united(self.scopes, client.scopes),
            resources=client.resources,
        )

    def allowed_scopes(self, asked: Sequence[str] | None) -> tuple[str, ...]:
        """Those that are allowed of those that are asked for (RFC 7591 section 2 lets a server choose, and the answer
        says what was registered); all of them when none is named. Raises InvalidClientMetadata when none is left."""
        if asked is None:
            return self.scopes
        left = tuple(scope for scope in dict.fromkeys(asked) if scope in self.scopes)
        if asked and not left:
            raise InvalidClientMetadata("scope holds nothing that a client may have here by registering")
        return left

    def require_grants(self, asked: Collection[str]) -> None:
        """Raises InvalidClientMetadata: a client that went on without one of its grants would only fail later."""
        for grant in asked:
            if grant not in self.grant_types:
                raise InvalidClientMetadata(f"grant_types: {grant} is not for clients that register themselves")


def _united(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
