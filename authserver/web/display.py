"""Text of strangers, fit to be read by people: nothing in it hides, turns round or overflows what stands beside it."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from authserver.model.inputs import is_loopback
from authserver.model.time import Instant

LONGEST: Final = 100
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that are not seen, or turn the text around them (Unicode bidirectional controls)."""
_MARKS: Final = frozenset({"Mn", "Me"})
_MOST_MARKS: Final = 3
"""On one letter; more of them paint over the lines above and below."""
_HOST_SOURCE: Final = re.compile(r"[a-z0-9.-]+(?::\d{1,5})?", re.ASCII)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*", re.ASCII)


def visible(text: str, longest: int = LONGEST) -> str:
    """One line, every hidden character as U+FFFD, cut after `longest` characters."""
    shown = "".join(_calm(unicodedata.normalize("NFC", text[: longest * 2])))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _calm(text: str) -> list[str]:
    calm: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        marks = marks + 1 if category in _MARKS else 0
        if category in _HIDDEN:
            calm.append("\ufffd")
        elif marks <= _MOST_MARKS:
            calm.append(character)
    return calm


def visible_lines(text: str) -> str:
    """Several lines, each as it is but for its hidden characters. Nothing is cut off: what somebody agrees to must not
    stand behind something long."""
    return "\n".join("".join(_calm(line)) for line in text.split("\n"))


def when(at: Instant) -> str:
    """To the minute, in UTC: whose time zone it is, nobody told us."""
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%d %H:%M} UTC"


_BROWSERS: Final = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
_SYSTEMS: Final = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
"""The first that occurs counts: later ones pretend to be earlier ones, and not the other way round."""


def program_of(user_agent: str) -> str:
    """ "Firefox on Linux", as far as a User-Agent can be believed; else what it says."""
    browser = next((name for mark, name in _BROWSERS.items() if mark in user_agent), None)
    system = next((name for mark, name in _SYSTEMS.items() if mark in user_agent), None)
    if browser is None or system is None:
        return visible(user_agent, 60) or "Unknown program"
    return f"{browser} on {system}"


def host_of(uri: str) -> str:
    """Host and port, in ASCII so that no letter passes for another (RFC 5890); the scheme of a URI without a host."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
        host = host.encode("idna").decode("ascii") if not host.isascii() else host
    except ValueError:
        return visible(uri)
    if not host:
        return visible(f"{parts.scheme}:")
    shown = f"[{host}]" if ":" in host else host
    return visible(shown if port is None else f"{shown}:{port}")


def leads_to(uri: str) -> tuple[str, ...]:
    """The CSP sources that let a form's answer lead to `uri`, and from there to wherever that application goes on to.

    Browsers hold every redirect that follows a form against the page that had it, also those of the application's own,
    about which we know nothing but that they stay on the web (or, for a program on this device, there).
    """
    here = ("http://127.0.0.1:*", "http://localhost:*") if is_on_this_device(uri) and uri.startswith("http:") else ()
    return tuple(dict.fromkeys((source_of(uri), "https:", *here)))


def source_of(uri: str) -> str:
    """The CSP source of `uri`: its origin, or its scheme where CSP has no word for that.

    An IPv6 address is no host-source, and a private-use scheme has no origin (CSP Level 3 section 2.3.1).
    """
    parts = urlsplit(uri)
    scheme, authority = parts.scheme.lower(), parts.netloc.lower()
    if scheme in ("http", "https") and _HOST_SOURCE.fullmatch(authority):
        return f"{scheme}://{authority}"
    return f"{scheme}:" if _SCHEME.fullmatch(scheme) else "'self'"


def is_on_this_device(uri: str) -> bool:
    """A program on the reader's own machine gets the answer: anything there may pose as it."""
    parts = urlsplit(uri)
    return parts.scheme not in ("http", "https") or is_loopback(parts.hostname or "")
