"""oidc-client-ts in Chromium: an application without a server of its own, on another site than the provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.chromium import Chromium
from interop.person import log_in
from interop.spa_server import Application, serving_pages
from tests.interop.provider import EMAIL, Provider

SETTINGS = {"dpop_nonce": "required"}
SCOPE = "openid profile email offline_access"
LIBRARY = "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"
SAME_SITE, OTHER_SITE = "localhost", "127.0.0.1"
"""As names of the application's host; the provider is localhost."""


@pytest.fixture
def application(modules: Path, provider: Provider) -> Iterator[Application]:
    certificate, key = provider.directory / "cert.pem", provider.directory / "key.pem"
    with serving_pages(modules / LIBRARY, certificate, key) as served:
        yield served


def register(provider: Provider, application: Application, name: str, *, host: str, scope: str, dpop: bool) -> str:
    """The application's origin."""
    origin = f"https://{host}:{application.port}"
    client = provider.client(
        name, "--redirect-uri", f"{origin}/back", "--set", f"post_logout_redirect_uris={origin}/bye"
    )
    application.given |= {"issuer": provider.issuer, "client_id": client, "scope": scope, "dpop": dpop}
    return origin


@pytest.mark.parametrize("dpop", [False, True], ids=["bearer", "dpop"])
def test_log_in_userinfo_refresh_and_log_out(
    provider: Provider, application: Application, browser: Chromium, dpop: bool
) -> None:
    origin = register(provider, application, f"spa-{dpop}", host=OTHER_SITE, scope=SCOPE, dpop=dpop)
    browser.open(origin)
    browser.click("log_in")
    log_in(browser)
    assert browser.url.startswith(f"{origin}/back?")
    user = browser.value("arrived")
    assert user["state"] == "a page of mine"
    assert user["token_type"] == ("DPoP" if dpop else "Bearer")
    assert user.get("email") == (None if dpop else EMAIL)  # from userinfo, which it asks with Bearer only

    told = browser.value("userinfo()")
    assert (told["status"], told["body"]["sub"], told["body"]["email"]) == (200, user["sub"], EMAIL)
    assert browser.value("userinfoOfThief()") == (401 if dpop else 200)

    fresh = browser.value("renewed()")
    assert fresh["sub"] == user["sub"]
    assert fresh["refresh_token"] not in (None, user["refresh_token"])
    assert fresh["access_token"] != user["access_token"]

    browser.click("log_out")
    assert browser.url == f"{origin}/bye?state={browser.value('new URLSearchParams(location.search).get(`state`)')}"
    assert browser.value("arrived") == {"state": "after"}
    browser.click("log_in_silently")
    assert browser.value("arrived") == {"error": "login_required"}
    nothing_unexpected(browser)


def test_tokens_are_revoked(provider: Provider, application: Application, browser: Chromium) -> None:
    origin = register(provider, application, "spa-revokes", host=OTHER_SITE, scope=SCOPE, dpop=False)
    browser.open(origin)
    browser.click("log_in")
    log_in(browser)
    user = browser.value("arrived")
    assert user["refresh_token"]
    assert browser.value("revoked()") is None
    assert browser.value("kept()")["refresh_token"] is None
    assert browser.value("userinfo()")["status"] == 401


@pytest.mark.parametrize(("host", "renews"), [(SAME_SITE, True), (OTHER_SITE, False)], ids=["same site", "other site"])
def test_renewal_in_a_hidden_frame_works_within_a_site(
    provider: Provider, application: Application, browser: Chromium, host: str, renews: bool
) -> None:
    """The cookie is SameSite=Lax: a frame in another site's page has none."""
    origin = register(provider, application, f"spa-frame-{renews}", host=host, scope="openid", dpop=False)
    browser.open(origin)
    browser.click("log_in")
    log_in(browser)
    user = browser.value("arrived")
    browser.value("manager.getUser().then(user => { delete user.refresh_token; return manager.storeUser(user) })")
    renewed = browser.value("renewed()")
    if renews:
        assert renewed["sub"] == user["sub"]
        assert renewed["access_token"] != user["access_token"]
    else:
        assert renewed == {"error": "login_required"}


def test_whoever_says_no_is_led_back(provider: Provider, application: Application, browser: Chromium) -> None:
    origin = register(provider, application, "spa-refused", host=OTHER_SITE, scope=SCOPE, dpop=False)
    browser.open(origin)
    browser.click("log_in")
    log_in(browser, agree="deny")
    assert browser.value("arrived") == {"error": "access_denied"}
    nothing_unexpected(browser)


def nothing_unexpected(browser: Chromium) -> None:
    complaints = [
        c for c in browser.complaints if not any(status in c for status in ("status of 400", "status of 401"))
    ]
    assert complaints == []
