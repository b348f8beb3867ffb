"""GET /.well-known/...: the public keys (RFC 7517) and what this server can do (RFC 8414)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from authserver.tokens.keyring import KeyRing
from authserver.web.cached import CachedDocument

JWKS_MAX_AGE = 300
"""Seconds; new keys are announced for longer than that before they sign."""
METADATA_MAX_AGE = 3600


@dataclass(slots=True)
class JwksEndpoint:
    ring: KeyRing
    _body: bytes = field(default=b"", init=False)
    _document: CachedDocument | None = field(default=None, init=False)

    async def get(self, request: Request) -> Response:
        jwks = self.ring.jwks
        if self._document is None or self._body is not jwks.body:
            self._body = jwks.body
            self._document = CachedDocument(jwks.body, jwks.etag, f"public, max-age={JWKS_MAX_AGE}")
        return self._document.answer(request)


class MetadataEndpoint:
    """Holds nothing but the finished document."""

    __slots__ = ("_document",)

    def __init__(self, metadata: Mapping[str, object]) -> None:
        body = json.dumps(metadata, separators=(",", ":")).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        self._document = CachedDocument(body, etag, f"public, max-age={METADATA_MAX_AGE}")

    async def get(self, request: Request) -> Response:
        return self._document.answer(request)
