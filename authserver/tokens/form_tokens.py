"""CSRF tokens of forms that are filled in before anybody is logged in."""

from __future__ import annotations

import base64
import hmac

from authserver.tokens.masterkey import MasterKey


class FormTokens:
    """Bound to a cookie of the browser, so that a form made for one browser is worth nothing in another."""

    def __init__(self, master: MasterKey) -> None:
        self._key = master.derive("form token")

    def of(self, form: str, browser: str) -> str:
        """`form` names the form, `browser` is the cookie's value. The same for as long as the cookie is."""
        digest = hmac.digest(self._key, f"{form} {browser}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
