"""Whether two URLs name the same thing, as DPoP compares them (RFC 9449 section 4.3): after the normalisation that
follows from the syntax of URLs and of http alone (RFC 3986 sections 6.2.2 and 6.2.3), and nothing looser."""

from __future__ import annotations

import re

_PLAIN = r"[A-Za-z0-9._~!$&'()*+,;=:@/-]"
_URI = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::(?P<port>[0-9]{0,5}))?"
    rf"(?P<path>(?:/(?:{_PLAIN}|%[0-9A-Fa-f]{{2}})*)?)(?:\?[!-\"$-~]*)?(?:#[!-~]*)?",
    re.IGNORECASE,
)
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class NoTarget(ValueError):
    """Not an absolute http or https URL in the characters of RFC 3986, or one with a user in it."""


def target_of(url: str) -> str:
    """The one spelling of `url` without query and fragment; raises NoTarget."""
    match = _URI.fullmatch(url)
    if match is None:
        raise NoTarget("not an absolute http(s) URL")
    scheme = match["scheme"].lower()
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    shown = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    return f"{scheme}://{match['host'].lower()}{shown}{_path(match['path'])}"


def origin_of(url: str) -> str:
    """Scheme, host and port alone, in their one spelling; raises NoTarget."""
    target = target_of(url)
    return target[: target.index("/", len("https://"))]


def _path(path: str) -> str:
    return _without_dots(_ENCODED.sub(_decoded, path)) or "/"


def _decoded(encoded: re.Match[str]) -> str:
    """What needs no encoding has none, what needs it has capitals (RFC 3986 sections 6.2.2.1 and 6.2.2.2)."""
    character = chr(int(encoded[1], 16))
    return character if character in _UNRESERVED else encoded[0].upper()


def _without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4, for a path that begins with a slash or is empty."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "".join(f"/{segment}" for segment in kept)
