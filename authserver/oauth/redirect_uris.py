"""Where an answer may go: what is registered, byte for byte (OAuth 2.1 section 2.3, RFC 9700 section 4.1.3)."""

from __future__ import annotations

import re
from typing import NamedTuple

from authserver.model.client import Client

MAX_LENGTH = 2048
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::([1-9][0-9]{0,4}))?((?:[/?].*)?)")


class _Loopback(NamedTuple):
    """A URI on this machine in its three parts, the middle one free to vary."""

    origin: str
    port: str | None
    rest: str


def is_registered(client: Client, uri: str) -> bool:
    """One of the client's own. A native client takes whatever port is free on its machine (RFC 8252 section 7.3)."""
    if uri in client.redirect_uris:
        return True
    asked = _loopback(uri) if client.is_native else None
    if asked is None or (asked.port is not None and int(asked.port) > 65535):
        return False
    return any(_same_but_for_port(asked, _loopback(known)) for known in client.redirect_uris)


def the_only_one(client: Client) -> str | None:
    """What a request may leave out (RFC 6749 section 3.1.2.3)."""
    return client.redirect_uris[0] if len(client.redirect_uris) == 1 else None


def _same_but_for_port(asked: _Loopback, known: _Loopback | None) -> bool:
    return known is not None and (asked.origin, asked.rest) == (known.origin, known.rest)


def _loopback(uri: str) -> _Loopback | None:
    match = _LOOPBACK.fullmatch(uri)
    return None if match is None else _Loopback(*match.groups())
