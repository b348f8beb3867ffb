"""Apache's mod_auth_openidc as a relying party behind a real browser, and as a resource server that introspects."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from interop.chromium import Chromium
from interop.daemons import directory_of_its_own, running
from interop.person import log_in
from interop.programs import apache_modules, program
from tests.interop.provider import EMAIL, USERNAME, Provider
from tests.servers import free_port

HERE = Path(__file__).parent / "apache"
SETTINGS = {"outgoing_allow_loopback": "true", "outgoing_ca_file": "ca.pem"}
API = "https://api.example"
PATIENCE = 30.0
PAGE = (
    '<!DOCTYPE html><link rel=icon href=data:,><p id=who><!--#echo var="REMOTE_USER" --> <!--#echo var="{}" --></p>\n'
)


@dataclass
class Apache:
    port: int
    client: str

    def at(self, path: str) -> str:
        return f"https://127.0.0.1:{self.port}{path}"

    def hook(self, what: str, **parameters: str) -> str:
        """An address of the module's own."""
        more = "".join(f"&{name}={quote(value, safe='')}" for name, value in parameters.items())
        return self.at(f"/app/back?{what}{more}")


@pytest.fixture(scope="module", params=["client_secret_basic", "private_key_jwt"])
def apache(provider: Provider, request: pytest.FixtureRequest) -> Iterator[Apache]:
    port, method = free_port(), str(request.param)
    served = Apache(port, f"apache-{method}")
    options = {
        "post_logout_redirect_uris": served.at("/bye.html"),
        "backchannel_logout_uri": served.hook("logout=backchannel"),
    }
    if method == "private_key_jwt":
        options |= {"jwks_uri": served.hook("jwks=rsa"), "assertion_audience": "legacy"}
    settings = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    provider.client(
        served.client, "--redirect-uri", served.at("/app/back"), "--resource", API, *settings, method=method
    )
    api = provider.run("clients", "add", f"api-{method}", "--auth-method", "client_secret_basic", "--audience", API)
    with directory_of_its_own() as root:
        _furnish(root, provider)
        values = {
            "ROOT": root,
            "PORT": port,
            "MODULES": apache_modules(),
            "ISSUER": provider.issuer,
            "CLIENT": served.client,
            "SECRET": provider.secrets[served.client] or "none",
            "METHOD": method,
            "RESOURCE_SERVER": api["client_id"],
            "RESOURCE_SERVER_SECRET": api["client_secret"],
        }
        given = [f"{name}={value}" for name, value in values.items()]
        command = ["env", *given, program("apache2"), "-f", str(root / "httpd.conf"), "-DFOREGROUND"]
        with running(command, port=port, directory=root):
            yield served


def _furnish(root: Path, provider: Provider) -> None:
    shutil.copy(HERE / "httpd.conf", root)
    key = rsa.generate_private_key(65537, 2048)
    (root / "client.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (root / "client.pub.pem").write_bytes(public)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        shutil.copy(provider.directory / name, root)
    for name, shown in {"app": "OIDC_CLAIM_email", "silent": "REMOTE_USER", "api": "OAUTH2_CLAIM_scope"}.items():
        (root / "pages" / name).mkdir(parents=True)
        (root / "pages" / name / "page.html").write_text(PAGE.format(shown))
    (root / "pages" / "bye.html").write_text("<!DOCTYPE html><link rel=icon href=data:,><p>Bye.\n")


def told(apache: Apache, browser: Chromium) -> dict[str, Any]:
    """What the module knows of this session."""
    return dict(browser.value(f"fetch('{apache.hook('info=json')}').then(response => response.json())"))


def test_log_in_userinfo_refresh_and_log_out(apache: Apache, browser: Chromium) -> None:
    browser.open(apache.at("/app/page.html"))
    log_in(browser)
    assert browser.url == apache.at("/app/page.html")
    assert browser.text.endswith(EMAIL)

    before = told(apache, browser)
    assert before["userinfo"]["email"] == EMAIL
    assert before["userinfo"]["sub"] == before["id_token"]["sub"]
    browser.open(apache.hook("", refresh=apache.at("/app/page.html"), access_token=before["access_token"]))
    assert browser.url == apache.at("/app/page.html")
    after = told(apache, browser)
    assert after["access_token"] != before["access_token"]
    assert after["refresh_token"] != before["refresh_token"]

    browser.open(apache.hook("", logout=apache.at("/bye.html")))
    assert browser.url == apache.at("/bye.html")
    browser.open(apache.at("/app/page.html"))
    assert "/account/login" in browser.url


def test_it_hears_of_a_log_out_elsewhere(apache: Apache, provider: Provider, browser: Chromium) -> None:
    browser.open(apache.at("/app/page.html"))
    log_in(browser, agree=None)
    assert browser.url == apache.at("/app/page.html")
    for session in provider.run("sessions", "list", "--user", USERNAME):
        provider.run("sessions", "end", session["session_id"])
    deadline = time.monotonic() + PATIENCE
    while "/account/login" not in browser.url:
        assert time.monotonic() < deadline, "it still lets us in"
        browser.open(apache.at("/app/page.html"))


def test_a_refusal_lets_nobody_in(apache: Apache, browser: Chromium) -> None:
    """This version takes an error that names its issuer (RFC 9207) for a wish to log in; its page says so."""
    browser.open(apache.at("/silent/page.html"))
    assert browser.url.startswith(apache.at("/app/back?"))
    assert "error=login_required" in browser.url
    assert browser.text.startswith("Error:")
    browser.open(apache.at("/app/page.html"))
    assert "/account/login" in browser.url


def test_as_a_resource_server_it_asks_about_each_token(apache: Apache, provider: Provider, browser: Chromium) -> None:
    def call(token: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"}
        return httpx.get(apache.at("/api/page.html"), headers=headers, verify=provider.trust, trust_env=False)

    browser.open(apache.at("/app/page.html"))
    log_in(browser, agree=None)
    token = told(apache, browser)["access_token"]
    answer = call(token)
    assert answer.status_code == 200
    assert USERNAME in answer.text
    assert call(token[:-2]).status_code == 401
    provider.run("revoke", "token", given=token)
    assert call(token).status_code == 401
