"""Our pages in a real Chromium: a request from the first redirect to the code, and what the browser says about it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from authserver.oauth.device import DEVICE_CODE
from authserver.oauth.pkce import challenge_of
from authserver.storage.sql import migrate
from interop.chromium import Chromium
from tests.loopback_site import LoopbackSite, loopback_site
from tests.site import PASSWORD, Party, make_keys_dir

SIZES = (400, 1200)
VERIFIER = "v" * 43


class Application:
    """A client on a port of its own; its callback leads on to another origin, as that of many does."""

    def __init__(self) -> None:
        self.answers: list[dict[str, str]] = []
        home = self._serve(lambda request: self._page(request, "This is the application's home."))
        self._callback = self._serve(lambda request: self._take(request, f"http://localhost:{home}/home"))
        self.redirect_uri = f"http://127.0.0.1:{self._callback}/cb"

    def _serve(self, answer: Callable[[Any], None]) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def do_POST(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return int(server.server_address[1])

    def _take(self, request: Any, leads_to: str) -> None:
        posted = request.rfile.read(int(request.headers.get("content-length") or 0)).decode()
        query = posted or urlsplit(request.path).query
        if not query:
            self._page(request, "")
            return
        self.answers.append({name: values[0] for name, values in parse_qs(query).items()})
        request.send_response(302)
        request.send_header("Location", leads_to)
        request.end_headers()

    def _page(self, request: Any, text: str) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.end_headers()
        request.wfile.write(f"<!DOCTYPE html><link rel=icon href=data:,><p>{text}".encode())


class Run:
    def __init__(self, server: LoopbackSite, browser: Chromium, pictures: Path | None) -> None:
        self.server, self.browser, self.pictures = server, browser, pictures
        self.application = Application()
        self.client = server.do(self._client())
        server.do(server.site.user("ada"))

    async def _client(self) -> Party:
        return await self.server.site.client(
            name="Cat Pictures",
            grant_types=("authorization_code", "refresh_token", DEVICE_CODE),
            redirect_uris=(self.application.redirect_uri,),
            scopes=("openid", "profile", "email", "offline_access", "cats:write"),
            resources=("https://api.cats.example",),
            client_uri="https://cats.example/",
            policy_uri="https://cats.example/privacy",
        )

    def ask(self, **changes: str) -> None:
        parameters = {
            "response_type": "code",
            "client_id": self.client.id,
            "redirect_uri": self.application.redirect_uri,
            "scope": "openid profile offline_access cats:write",
            "state": "s",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        self.browser.open(f"{self.server.url}/authorize?{urlencode(parameters)}")

    def show(self, name: str) -> None:
        """The page as it is now, on a phone and a desk, by day and by night; never wider than the screen."""
        for width in SIZES:
            for dark in (False, True):
                self.browser.look(width=width, dark=dark)
                wide = self.browser.value("document.documentElement.scrollWidth")
                check(wide <= width, f"{name} is {wide} pixels wide on a screen of {width}")
                if self.pictures is not None:
                    shade = "dark" if dark else "light"
                    self.browser.picture(self.pictures / f"{name}-{width}-{shade}.png")
        self.browser.look(width=SIZES[-1], dark=False)

    def log_in(self, password: str = PASSWORD) -> None:
        self.browser.type("username", "ada")
        self.browser.type("password", password)
        self.browser.click("log_in")

    # -- what is checked --------------------------------------------------------------------------

    def errors(self) -> None:
        self.ask(redirect_uri="https://evil.example/")
        check("This request cannot be accepted" in self.browser.text, "a page of ours")
        self.show("error")

    def wrong_password(self) -> None:
        self.ask()
        self.show("login")
        self.log_in("not it")
        check("Username or password is wrong." in self.browser.text, "it says so")
        check(self.browser.value("document.getElementById('username').value") == "ada", "the name stays")
        self.show("login-wrong")

    def code(self) -> None:
        self.log_in()
        check("Allow access?" in self.browser.text, self.browser.text)
        self.show("consent")
        self.browser.click("allow")
        self.arrived()

    def arrived(self) -> None:
        check(self.browser.url.endswith("/home"), f"the application's own redirect was followed: {self.browser.url}")
        answer = self.application.answers.pop()
        check({"code", "state", "iss"} == set(answer), str(answer))
        response = self.server.do(
            self.server.site.http.post(
                "/token",
                data={
                    "grant_type": "authorization_code",
                    "code": answer["code"],
                    "code_verifier": VERIFIER,
                    "redirect_uri": self.application.redirect_uri,
                },
                auth=(self.client.id, self.client.secret or ""),
            )
        )
        check(response.status_code == 200, response.text)

    def form_post(self) -> None:
        self.ask(response_mode="form_post")
        self.arrived()

    def form_post_without_scripts(self) -> None:
        self.browser.look(width=SIZES[0], dark=False, script=False)
        self.ask(response_mode="form_post")
        self.browser.click("continue")
        self.browser.look(width=SIZES[-1], dark=False)
        self.arrived()

    def log_in_again(self) -> None:
        self.ask(prompt="login")
        self.show("login-again")
        self.browser.click("cancel")
        check(self.application.answers.pop()["error"] == "access_denied", "the application is told")

    def device(self) -> None:
        form = {"scope": "openid cats:write"}
        auth = (self.client.id, self.client.secret or "")
        asked = self.server.do(self.server.site.http.post("/device_authorization", data=form, auth=auth)).json()
        self.browser.open(asked["verification_uri_complete"])
        self.show("device")
        self.browser.click("next")
        check("Connect this device?" in self.browser.text, self.browser.text)
        self.show("device-confirm")
        self.browser.click("allow")
        check("Device connected" in self.browser.text, self.browser.text)
        self.show("device-done")

    def account(self) -> None:
        self.browser.open(f"{self.server.url}/account")
        self.show("account")
        self.browser.click("log_out")
        self.show("logout")
        self.browser.click("confirm")
        check("You are logged out" in self.browser.text, self.browser.text)
        self.show("logged-out")

    def nothing_to_complain_about(self) -> None:
        expected = ("status of 400", "status of 401")
        complaints = [c for c in self.browser.complaints if not any(status in c for status in expected)]
        check(complaints == [], "\n".join(complaints))


def check(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f"not as it should be: {what}")


@contextmanager
def running(directory: Path) -> Iterator[LoopbackSite]:
    url = f"sqlite+aiosqlite:///{directory}/authserver.db"
    asyncio.run(migrate(url))
    with loopback_site(url, make_keys_dir(directory / "keys")) as server:
        yield server


def steps(run: Run) -> None:
    for step in (
        run.errors,
        run.wrong_password,
        run.code,
        run.form_post,
        run.form_post_without_scripts,
        run.log_in_again,
        run.device,
        run.account,
        run.nothing_to_complain_about,
    ):
        step()
