"""nginx with the very configuration of docs/guide/forward-auth.md: `auth_request` asks about each request."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from interop.chromium import Chromium
from interop.daemons import directory_of_its_own, running
from interop.programs import program
from tests.interop.provider import PASSWORD, USERNAME, Provider, make_certificates
from tests.processes import ROOT, ServerProcess
from tests.servers import free_port

HERE = Path(__file__).parent / "nginx"
RESOURCE = "https://app.example.com"
"""As the guide names it."""
CLIENT = "shop-app"
"""Also in nginx/sign-in.html."""
FORGED = {"x-auth-subject": "somebody else", "x-auth-scope": "everything", "x-auth-session": "theirs"}


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def provider(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Under a path, in clear text on loopback: nginx is what the world sees of it."""
    directory = tmp_path_factory.mktemp("provider")
    make_certificates(directory)
    settings: dict[str, object] = {"issuer": f"https://localhost:{port}/auth", "trusted_proxies": "127.0.0.1"}
    process = ServerProcess(directory)
    process.configure(**settings)
    served = Provider(process, directory, settings)
    try:
        for command in ("init", "migrate"):
            served.run(command)
        served.run("users", "add", USERNAME, "--password-stdin", given=PASSWORD + "\n")
        first_party = ("clients", "add", CLIENT, "--auth-method", "none", "--first-party", "--scope", "read")
        served.run(*first_party, "--resource", RESOURCE, "--resource", "https://other.example")
        process.start()
        yield served
    finally:
        process.clean_up()


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    """The application's port; it says what it was told about the caller."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = {name.lower(): value for name, value in self.headers.items()}
            body = json.dumps({name: told.get(name) for name in (*FORGED, "authorization")}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="module")
def site(provider: Provider, port: int, behind: int) -> Iterator[str]:
    """nginx; its origin."""
    with directory_of_its_own() as root:
        (root / "guide.conf").write_text(as_in_the_guide(root, port, server=provider.process.port, behind=behind))
        for path in (*HERE.iterdir(), provider.directory / "cert.pem", provider.directory / "key.pem"):
            shutil.copy(path, root)
        with running([program("nginx"), "-p", str(root), "-c", "nginx.conf"], port=port, directory=root):
            yield f"https://localhost:{port}"


def as_in_the_guide(root: Path, port: int, *, server: int, behind: int) -> str:
    """With the ports and the name of this machine."""
    page = (ROOT / "docs/guide/forward-auth.md").read_text()
    block = re.search(r"```nginx\n(.*?)```", page, re.DOTALL)
    assert block is not None
    text = block[1]
    for written, here in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "server_name app.example.com;": "server_name localhost;",
        "127.0.0.1:8000": f"127.0.0.1:{server}",
        "127.0.0.1:3000": f"127.0.0.1:{behind}",
        "/srv/www": str(root),
    }.items():
        assert written in text, written
        text = text.replace(written, here)
    return text


def sign_in(browser: Chromium, password: str) -> int:
    status: int = browser.value(f"signIn({json.dumps(USERNAME)}, {json.dumps(password)})")
    return status


def seen(browser: Chromium) -> dict[str, Any] | None:
    """By the application, of a request of this page with forged headers; None: nginx asks to sign in instead."""
    call = f"fetch('/report', {{ headers: {json.dumps(FORGED)} }})"
    answer: dict[str, Any] | None = browser.value(f"{call}.then(answer => answer.redirected ? null : answer.json())")
    return answer


def test_a_session_passes_until_it_ends(site: str, provider: Provider, browser: Chromium) -> None:
    browser.open(f"{site}/report")
    assert browser.url == f"{site}/sign-in.html"
    assert sign_in(browser, "not it") == 401
    assert seen(browser) is None

    assert sign_in(browser, PASSWORD) == 200
    told = seen(browser)
    assert told is not None
    user = provider.run("users", "show", USERNAME)
    assert (told["x-auth-subject"], told["x-auth-scope"]) == (user["user_id"], "read")
    assert told["x-auth-session"] not in ("", None, FORGED["x-auth-session"])
    assert called(site, provider, told["authorization"]).json()["x-auth-subject"] == user["user_id"]

    assert browser.value("signOut()") == 204
    assert seen(browser) is None
    assert called(site, provider, told["authorization"]).status_code == 303


def test_a_token_passes_where_it_is_meant_to(site: str, provider: Provider) -> None:
    def token(resource: str) -> str:
        asked = {"username": USERNAME, "password": PASSWORD, "client_id": CLIENT, "resource": resource}
        response = httpx.post(f"{site}/auth/login", json=asked, verify=provider.trust, trust_env=False)
        return f"Bearer {response.json()['access_token']}"

    assert called(site, provider, token(RESOURCE)).status_code == 200
    assert called(site, provider, token("https://other.example")).status_code == 303
    assert called(site, provider, "Bearer nonsense").status_code == 303


def test_the_world_cannot_ask(site: str, provider: Provider) -> None:
    """Whoever could would be shown the token of a session whose cookie he has no way to read."""
    answer = httpx.get(f"{site}/auth/forward-auth", verify=provider.trust, trust_env=False)
    assert answer.status_code == 404
    metadata = httpx.get(f"{site}/.well-known/oauth-authorization-server/auth", verify=provider.trust, trust_env=False)
    assert metadata.json()["issuer"] == f"{site}/auth"


def called(site: str, provider: Provider, authorization: str) -> httpx.Response:
    headers = FORGED | {"authorization": authorization}
    return httpx.get(f"{site}/report", headers=headers, verify=provider.trust, trust_env=False)
