"""The key that a request proves to hold, so that its tokens can be bound to it (RFC 9449, RFC 8705 section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from authserver.model.client import Client
from authserver.model.grant import Confirmation


@dataclass(frozen=True, slots=True)
class ProofOfPossession:
    async def confirm(self, request: Request, client: Client) -> Confirmation | None:
        """None: the tokens will be bearer tokens."""
        return None
