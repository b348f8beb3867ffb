"""What the values of settings look like, and which of them cannot work: types for `settings.Settings`."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from authserver.model.duration import parse_duration
from authserver.model.inputs import is_loopback
from authserver.model.resource_tokens import ResourceTokens
from authserver.model.time import Duration
from authserver.oauth.scopes import is_resource


def _split(value: object) -> object:
    return [part for part in re.split(r"[,\s]+", value) if part] if isinstance(value, str) else value


def number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else value


def _networks(value: object) -> object:
    parts = _split(value)
    return [ip_network(str(part), strict=False) for part in parts] if isinstance(parts, list | tuple) else parts


def _algorithms(value: object) -> object:
    """RS256 first, whether it is named or not; each once."""
    parts = _split(value)
    return list(dict.fromkeys(["RS256", *map(str, parts)])) if isinstance(parts, list | tuple) else parts


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError("must be an http(s) URL with a host")
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise ValueError("must have no query and no fragment (RFC 8414 section 2)")
    if value.endswith("/"):
        raise ValueError("must not end with a slash")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("must be https unless the host is loopback (127.0.0.1, [::1], localhost)")
    return value


def _database(value: str) -> str:
    if not value.startswith(("sqlite+aiosqlite:", "postgresql+asyncpg:")):
        raise ValueError("must start with sqlite+aiosqlite: or postgresql+asyncpg:")
    return value


def _redis(value: str | None) -> str | None:
    if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must start with redis://, rediss:// or unix://")
    return value


Span: TypeAlias = Annotated[Duration, BeforeValidator(parse_duration)]
"""A duration in milliseconds, written as seconds or with a unit."""
Networks: TypeAlias = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)]
SigningAlgorithms: TypeAlias = Annotated[
    tuple[Literal["RS256", "PS256", "ES256", "EdDSA"], ...], NoDecode, BeforeValidator(_algorithms)
]
Words: TypeAlias = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Issuer: TypeAlias = Annotated[str, AfterValidator(_issuer)]
DatabaseUrl: TypeAlias = Annotated[str, AfterValidator(_database)]
RedisUrl: TypeAlias = Annotated[str | None, AfterValidator(_redis)]
HeaderName: TypeAlias = Annotated[str | None, Field(pattern=r"^[A-Za-z0-9-]+$")]


def default_password_threads() -> int:
    """One core stays free for requests that are not log-ins."""
    return max(1, (os.cpu_count() or 1) - 1)


def mask_url(url: str) -> str:
    """The URL with its password replaced, for people to read."""
    parts = urlsplit(url)
    if parts.password is None and "password=" not in parts.query:
        return url
    location = parts.netloc
    if parts.password is not None:
        location = f"{parts.username or ''}:***@{parts.netloc.rpartition('@')[2]}"
    query = re.sub(r"(password=)[^&]*", r"\1***", parts.query)
    return urlunsplit((parts.scheme, location, parts.path, query, parts.fragment))


def check_resource_tokens(wanted: Iterable[ResourceTokens], algorithms: Collection[str]) -> None:
    """Raises ValueError for what no request would ever reach, or no key could sign."""
    seen: set[str] = set()
    for each in wanted:
        where = f'resource_tokens "{each.resource}"'
        if not is_resource(each.resource):
            raise ValueError(f"{where}: must be an absolute URI without a fragment")
        if each.resource in seen:
            raise ValueError(f"{where}: stands there twice")
        seen.add(each.resource)
        if each.signed_response_alg not in (None, *algorithms):
            raise ValueError(f"{where}: signing_algorithms does not have {each.signed_response_alg}")
