"""What every grant looks like."""

from __future__ import annotations

from typing import Protocol

from authserver.model.audit import Caller
from authserver.model.client import Client
from authserver.model.grant import Authorization, Confirmation
from authserver.oauth.form import Form


class Grant(Protocol):
    @property
    def grant_type(self) -> str:
        """The value of the `grant_type` parameter."""
        ...

    async def redeem(
        self, client: Client, form: Form, caller: Caller, confirmation: Confirmation | None = None
    ) -> Authorization:
        """Trade what the form brings for an authorization; raises an OAuthError otherwise.

        `client` is authenticated, enabled and registered for this grant type; `confirmation` is the key that
        the request proved to hold, to which the tokens are to be bound.
        """
        ...
