"""Which form of an answer a request would rather have (RFC 9110 section 12.5.1)."""

from __future__ import annotations

import re

from starlette.types import Scope

_QUALITY = re.compile(r"[01](\.\d{0,3})?")


def weight(scope: Scope, media_type: str) -> float:
    """Of a media type as it is named in Accept, wildcards aside; 0 if it is not."""
    accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1").lower()
    if media_type not in accept:
        return 0.0
    for offered in accept.split(","):
        name, *parameters = (part.strip() for part in offered.split(";"))
        if name == media_type:
            quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
            return float(quality) if _QUALITY.fullmatch(quality) else 0.0
    return 0.0
