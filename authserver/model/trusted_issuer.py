"""Somebody else whose word on who a user or a workload is counts here (RFC 7523 section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

AssertionKind = Literal["jwt", "id-jag"]
SubjectKind = Literal["user", "client"]
UserField = Literal["username", "id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """What it may say, about whom and to whom. What is not allowed here is refused."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    """A misspelt member of the settings' table is an error there."""

    issuer: str
    """Its `iss`, compared byte by byte."""
    jwks_uri: str
    kind: AssertionKind = "jwt"
    """"id-jag": an Identity Assertion JWT Authorization Grant, which an enterprise's identity provider writes for one
    client and one server (`typ` "oauth-id-jag+jwt")."""
    audience: str | None = None
    """An `aud` that it uses for this server beside the issuer and the token endpoint."""
    subject: SubjectKind = "user"
    """Whom the tokens are for: a user of this server, or the client itself."""
    user_claim: str = "sub"
    """The claim that names the user ..."""
    user_field: UserField = "username"
    """... and what of the user it is."""
    subjects: tuple[str, ...] = ()
    """The only `sub` it may speak of; empty: any."""
    clients: tuple[str, ...]
    """Client ids that may bring its assertions."""
    scopes: tuple[str, ...] | None = None
    """The most that its assertions give; None: all that the client may have."""
    single_use: bool = True
    """Each assertion counts once, so it needs a `jti`. False for platforms that give a workload one token for long."""
