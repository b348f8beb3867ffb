"""The form in which a resource wants its access tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from .client import AccessTokenFormat, AccessTokenTyp

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceTokens:
    """Whichever client asks for them. What is None is as the client has its tokens."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    """A misspelt member of the settings' table is an error there."""

    resource: str
    """Its identifier, as in `resources` of clients."""
    format: AccessTokenFormat | None = None
    typ: AccessTokenTyp | None = None
    signed_response_alg: Algorithm | None = None
