"""What a resource server tells about itself (RFC 9728): which issuers it trusts, and how tokens are to be shown.

    about = ProtectedResource("https://api.example.com", ["https://auth.example.com"], scopes_supported=["orders:read"])
    app.add_middleware(BearerAuth, verifier=verifier, resource_metadata=about)

The middleware then serves the document and names its URL in each 401. Without the middleware, the object itself is an
ASGI application for `about.path`, and `about.wsgi` one for WSGI.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .dpop_key import ALGORITHMS
from .transport import checked_url

WELL_KNOWN = "/.well-known/oauth-protected-resource"
MAX_AGE = 3600
"""Seconds that clients may keep the document."""

Message = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """Raises ValueError for a resource or an issuer that is no https URL (http on loopback)."""

    resource: str
    """The resource identifier: the URL that clients use, and the audience of their tokens."""
    authorization_servers: Sequence[str]
    """Issuers, byte for byte as in their metadata."""
    scopes_supported: Sequence[str] = ()
    bearer_methods_supported: Sequence[str] = ("header",)
    dpop_signing_alg_values_supported: Sequence[str] = ALGORITHMS
    """Empty: nothing is said about DPoP."""
    dpop_bound_access_tokens_required: bool = False
    tls_client_certificate_bound_access_tokens: bool = False
    resource_name: str | None = None
    resource_documentation: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further members, such as "resource_policy_uri" or "authorization_details_types_supported"."""

    def __post_init__(self) -> None:
        checked_url(self.resource, "resource")
        if isinstance(self.authorization_servers, str):
            raise ValueError("authorization_servers: must be a list of issuers")
        for issuer in self.authorization_servers:
            checked_url(issuer, "authorization server")

    @property
    def metadata_url(self) -> str:
        """For challenges: the well-known part stands between host and path (RFC 9728 section 3.1)."""
        parts = urlsplit(self.resource)
        query = f"?{parts.query}" if parts.query else ""
        return f"{parts.scheme}://{parts.netloc}{self.path}{query}"

    @property
    def path(self) -> str:
        """Where the document is served."""
        path = urlsplit(self.resource).path
        return WELL_KNOWN + ("" if path == "/" else path)

    def document(self) -> dict[str, Any]:
        """RFC 9728 section 2; what would be empty is left out (section 3.2)."""
        members = {
            "resource": self.resource,
            "authorization_servers": list(self.authorization_servers),
            "scopes_supported": list(self.scopes_supported),
            "bearer_methods_supported": list(self.bearer_methods_supported),
            "dpop_signing_alg_values_supported": list(self.dpop_signing_alg_values_supported),
            "dpop_bound_access_tokens_required": self.dpop_bound_access_tokens_required,
            "tls_client_certificate_bound_access_tokens": self.tls_client_certificate_bound_access_tokens,
            "resource_name": self.resource_name,
            "resource_documentation": self.resource_documentation,
            **self.more,
        }
        return {name: value for name, value in members.items() if value not in (None, [], (), False)}

    def answer(self, method: str) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body. Pages of any origin may read it."""
        if method not in ("GET", "HEAD"):
            return 405, [("Allow", "GET, HEAD"), ("Content-Length", "0")], b""
        body = json.dumps(self.document(), separators=(",", ":")).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", f"public, max-age={MAX_AGE}"),
            ("Access-Control-Allow-Origin", "*"),
        ]
        return 200, headers, b"" if method == "HEAD" else body

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        status, headers, body = self.answer(scope["method"])
        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """A WSGI application."""
        status, headers, body = self.answer(environ["REQUEST_METHOD"])
        start_response("200 OK" if status == 200 else "405 Method Not Allowed", headers)
        return [body]
