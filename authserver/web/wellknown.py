"""GET /.well-known/...: the public keys (RFC 7517) and what this server can do (RFC 8414)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from authserver.tokens.keyring import KeyRing

JWKS_MAX_AGE = 300
"""Seconds; new keys are announced for longer than that before they sign."""
METADATA_MAX_AGE = 3600


class CachedDocument:
    """A JSON document as two answers made once: the whole (200) and "you have it" (304, RFC 9110 section 13.1.2)."""

    __slots__ = ("_etag", "_unchanged", "_whole")

    def __init__(self, body: bytes, etag: str, max_age: int) -> None:
        headers = {"ETag": etag, "Cache-Control": f"public, max-age={max_age}"}
        self._etag = etag
        self._whole = Response(body, headers=headers, media_type="application/json")
        self._unchanged = Response(status_code=304, headers=headers)

    def answer(self, request: Request) -> Response:
        for name, value in request.scope["headers"]:
            if name == b"if-none-match" and self._is_known(value.decode("latin-1")):
                return self._unchanged
        return self._whole

    def _is_known(self, etags: str) -> bool:
        """Weak comparison: proxies that compress mark the ETag as weak."""
        return any(etag.strip().removeprefix("W/") in (self._etag, "*") for etag in etags.split(","))


@dataclass(slots=True)
class JwksEndpoint:
    ring: KeyRing
    _body: bytes = field(default=b"", init=False)
    _document: CachedDocument | None = field(default=None, init=False)

    async def get(self, request: Request) -> Response:
        jwks = self.ring.jwks
        if self._document is None or self._body is not jwks.body:
            self._body = jwks.body
            self._document = CachedDocument(jwks.body, jwks.etag, JWKS_MAX_AGE)
        return self._document.answer(request)


class MetadataEndpoint:
    """Holds nothing but the finished document."""

    __slots__ = ("_document",)

    def __init__(self, metadata: Mapping[str, object]) -> None:
        body = json.dumps(metadata, separators=(",", ":")).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        self._document = CachedDocument(body, etag, METADATA_MAX_AGE)

    async def get(self, request: Request) -> Response:
        return self._document.answer(request)
