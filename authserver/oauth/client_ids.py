"""Client ids that are URLs (Client ID Metadata Documents): how they look, and whose they are.

Such an id names the place where the client describes itself. No other client has an id of that shape.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from authserver.model.inputs import is_loopback

LONGEST = 400
_CHARACTERS = re.compile(r"[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
"""Those of RFC 3986, without `#`."""
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:/|\Z)", re.IGNORECASE)


def is_document_id(client_id: str, *, loopback: bool = False) -> bool:
    """An https URL with a path, without dot segments, fragment and user information (section 3 of the draft).

    `loopback`: also http on an address of this machine, for development.
    """
    if len(client_id) > LONGEST or not client_id.startswith(("https://", "http://")):
        return False
    if not _CHARACTERS.fullmatch(client_id):
        return False
    try:
        parts = urlsplit(client_id)
        _ = parts.port
    except ValueError:
        return False
    return _is_secure(parts, loopback) and _has_plain_path(parts) and "@" not in parts.netloc


def host_of(uri: str) -> str | None:
    """The host of a URL, for people to see; None for a URI without one."""
    try:
        return urlsplit(uri).hostname
    except ValueError:
        return None


def _is_secure(parts: SplitResult, loopback: bool) -> bool:
    if not parts.hostname:
        return False
    return parts.scheme == "https" or (loopback and is_loopback(parts.hostname))


def _has_plain_path(parts: SplitResult) -> bool:
    return parts.path not in ("", "/") and not _DOT_SEGMENT.search(parts.path)
