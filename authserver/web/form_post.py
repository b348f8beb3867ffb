"""The page that posts an authorization response to the client (OAuth 2.0 Form Post Response Mode)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from authserver.web.display import host_of
from authserver.web.html import bare_page

SCRIPT: Final = "document.forms[0].submit()"
"""The only script of this server; a browser without it shows a button."""
_SOURCE: Final = f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'"


def form_post_page(action: str, fields: Mapping[str, str]) -> Response:
    """200; `action` is the redirect URI, `fields` the parameters of the response."""
    context = {"action": action, "fields": fields, "script": SCRIPT, "host": host_of(action)}
    return bare_page("form_post.html", context, script=_SOURCE)
