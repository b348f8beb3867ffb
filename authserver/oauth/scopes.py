"""What may be asked for: scopes (RFC 6749 section 3.3) and resources (RFC 8707)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import urlsplit

from authserver.model.client import Client
from authserver.oauth.errors import InvalidScope, InvalidTarget, OAuthError

MAX_LENGTH = 2048
"""Of the scope parameter, and of one resource, in characters."""
MAX_RESOURCES = 10

_QUOTABLE = re.compile(r"[!#-\[\]-~]{1,80}")
"""What an error description may repeat (RFC 6749 section 5.2)."""
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")


ONLY_IF_ASKED: Final = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})
"""Scopes of OpenID Connect: who a user is, and a log-in that outlives the browser, are for who asks for them."""


def grant_scope(client: Client, asked: str | None) -> tuple[str, ...]:
    """The scopes a client gets: what it asked for; when it names none, all it is registered for but those that are
    given `ONLY_IF_ASKED`.

    Raises InvalidScope for one that it is not registered for, and for a malformed parameter.
    """
    if asked is None:
        return tuple(scope for scope in client.scopes if scope not in ONLY_IF_ASKED)
    return narrow(client.scopes, asked)


def narrow(granted: Collection[str], asked: str) -> tuple[str, ...]:
    """The scopes in `asked` (space-separated), each once, in that order; raises InvalidScope for one not `granted`."""
    if len(asked) > MAX_LENGTH:
        raise InvalidScope("scope is too long")
    scopes = tuple(dict.fromkeys(filter(None, asked.split(" "))))
    if not scopes:
        raise InvalidScope("scope is empty")
    for scope in scopes:
        if scope not in granted:
            raise _not_granted(InvalidScope, "scope", scope)
    return scopes


def audience(client: Client, asked: Sequence[str], issuer: str) -> tuple[str, ...]:
    """The audience a client gets: the resources it asked for, or its default (its first one, else the issuer).

    Raises InvalidTarget for one that it is not registered for, and for one that is no absolute URI.
    """
    allowed = resources_of(client, issuer)
    return narrow_resources(allowed, asked) if asked else allowed[:1]


def narrow_resources(granted: Collection[str], asked: Sequence[str]) -> tuple[str, ...]:
    """The resources in `asked`, each once, in that order; raises InvalidTarget for one not `granted`."""
    if len(asked) > MAX_RESOURCES:
        raise InvalidTarget("too many resources")
    for resource in asked:
        if resource not in granted:
            raise _refused_resource(resource)
    return tuple(dict.fromkeys(asked))


def resources_of(client: Client, issuer: str) -> tuple[str, ...]:
    """Every resource the client may ask tokens for; the issuer itself when none is registered."""
    return client.resources or (issuer,)


def is_resource(uri: str) -> bool:
    """An absolute URI without a fragment (RFC 8707 section 2)."""
    if len(uri) > MAX_LENGTH or not _ABSOLUTE_URI.fullmatch(uri) or "#" in uri:
        return False
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return bool(parts.netloc) if parts.scheme in ("http", "https") else True


def _refused_resource(resource: str) -> OAuthError:
    if not is_resource(resource):
        return InvalidTarget("resource is not an absolute URI without a fragment")
    return _not_granted(InvalidTarget, "resource", resource)


def _not_granted(error: type[OAuthError], kind: str, value: str) -> OAuthError:
    """Repeats the value where that is safe: it is the first thing a developer wants to know."""
    named = f": {value}" if _QUOTABLE.fullmatch(value) else ""
    return error(f"{kind} is not granted to this client{named}")
