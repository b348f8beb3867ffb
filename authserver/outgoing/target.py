"""Where a URL leads, read once and strictly: what is connected to is exactly what was judged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from authserver.model.inputs import is_loopback
from authserver.outgoing.addresses import is_loopback_address, is_public, parse_address
from authserver.outgoing.errors import OutgoingRefused

MAX_URL_CHARS = 2000
_INSIDE = (".internal", ".local", ".localhost")
"""What only a private network resolves (RFC 6762, RFC 6761; ".internal" is reserved by ICANN for that)."""
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    """"https", or "http" for this machine."""
    host: str
    """A name in lower case or an address, without brackets."""
    port: int
    path: str
    """With the query: what goes on the request line."""

    @property
    def is_plain(self) -> bool:
        return self.scheme == "http"

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_target(url: str, *, allow_loopback: bool = False) -> Target:
    """Raises OutgoingRefused for a URL that is never asked, whatever its name resolves to."""
    parts = _split(url)
    host = (parts.hostname or "").lower()
    _refuse_host(host, allow_loopback)
    if parts.scheme == "http":
        if not (allow_loopback and is_loopback(host)):
            raise OutgoingRefused("is not https")
    elif parts.scheme != "https":
        raise OutgoingRefused("is not https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, _port(parts), path)


def _split(url: str) -> SplitResult:
    if len(url) > MAX_URL_CHARS:
        raise OutgoingRefused("is too long")
    # First of all: urlsplit drops some of what is no part of a URL instead of refusing it.
    if _URL_CHARACTERS.fullmatch(url) is None:
        raise OutgoingRefused("has characters that a URL may not have")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise OutgoingRefused("is not a URL") from None
    if "@" in parts.netloc:
        raise OutgoingRefused("has a user name")
    if "#" in url:
        raise OutgoingRefused("has a fragment")
    return parts


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":"):
        raise OutgoingRefused("has no usable port")
    return port or _PORTS[parts.scheme]


def _refuse_host(host: str, allow_loopback: bool) -> None:
    if allow_loopback and is_loopback(host):
        return
    address = parse_address(host)
    if address is not None:
        if not (is_public(address) or (allow_loopback and is_loopback_address(address))):
            raise OutgoingRefused("is not on the public Internet")
        return
    # A system's resolver would read 0x7f.1, 017700000001 or 2130706433 as an address.
    if _NAME.fullmatch(host) is None or _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise OutgoingRefused("has no usable host name")
    if "." not in host or host.endswith(_INSIDE):
        raise OutgoingRefused("is a name of a private network")
