"""The person in front of the browser, on the server's own pages."""

from __future__ import annotations

from interop.chromium import Chromium
from tests.interop.provider import PASSWORD, USERNAME


def log_in(browser: Chromium, *, agree: str | None = "allow") -> None:
    """On the page that asks for a password; then presses the button `agree` on the page that asks for consent, if
    there is to be one."""
    browser.type("username", USERNAME)
    browser.type("password", PASSWORD)
    browser.click("log_in")
    if agree is not None:
        browser.click(agree)
