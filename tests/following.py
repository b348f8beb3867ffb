"""Verifiers that follow real servers through a proxy that fails, and a watch over what they say meanwhile.

One promise is checked under each fault: no revoked token is accepted later than `STALENESS` + `SLACK` after the
revocation was acknowledged, and nobody is told 401 who is not known to be refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from authserver.cli.dev import API, Demo, prepare
from authserver.settings import Settings
from authserver.tokens.masterkey import create_master_key
from authserver.verifier.errors import Refusal
from authserver.verifier.httptransport import HttpTransport
from authserver.verifier.policy import OnStale
from authserver.verifier.verifier import Verifier
from tests.conftest import run_apart
from tests.feed_proxy import FeedProxy
from tests.processes import ServerProcess
from tests.servers import free_port
from tests.site import claims_of

STALENESS = 2.0
"""Seconds: `max_staleness` of the verifiers here. Checkpoints come once a second, so that it is hardly ever reached."""
SLACK = 2.0
"""Seconds that the promise adds to it."""
BOUND = STALENESS + SLACK
PATIENCE = 20.0
"""Seconds for things to get well again by themselves, on a busy machine."""
ACCEPTED = "accepted"


def verdict(verifier: Verifier, token: str) -> str:
    """ "accepted", or status and code of the refusal: "401 revoked_jti", "503 stale"."""
    try:
        verifier.verify(token)
    except Refusal as refusal:
        return f"{refusal.status} {refusal.code}"
    return ACCEPTED


def known_refused(said: str) -> bool:
    """By the feed itself."""
    return said.startswith("401 revoked_")


def counted(verifier: Verifier, name: str) -> int:
    return int(str(verifier.metrics().values.get(name, 0)))


class Said(NamedTuple):
    asked: float
    answered: float
    verdict: str


class Watch:
    """Asks each verifier about each token again and again, each in a thread of its own."""

    def __init__(self, verifiers: Mapping[str, Verifier], tokens: Mapping[str, str]) -> None:
        self._verifiers, self._tokens = verifiers, tokens
        self._said: dict[tuple[str, str], list[Said]] = {(v, t): [] for v in verifiers for t in tokens}
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=pair, daemon=True) for pair in self._said]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self, name: str, token: str) -> None:
        while not self._over.is_set():
            asked = time.monotonic()
            said = verdict(self._verifiers[name], self._tokens[token])
            self._said[name, token].append(Said(asked, time.monotonic(), said))
            self._over.wait(0.04)

    def said(self, name: str, token: str, *, since: float = 0.0) -> list[str]:
        """Verdicts of questions asked since then."""
        return [each.verdict for each in list(self._said[name, token]) if each.asked >= since]

    def last(self, name: str, token: str) -> str:
        said = self._said[name, token]
        return said[-1].verdict if said else ""

    def assert_cut_off_in_time(self, token: str, acknowledged: float, bound: float = BOUND) -> None:
        for name in self._verifiers:
            said = self.said(name, token, since=acknowledged + bound)
            assert said, f"{name} was not asked after the bound"
            assert ACCEPTED not in said, f"{name} accepts a revoked token {bound} s after its revocation"
            guessed = {each for each in self.said(name, token) if each.startswith("401")} - REFUSED
            assert not guessed, f"{name} says {guessed}"

    def assert_never_401(self, token: str) -> None:
        """What cannot be decided is 503: a client that is told 401 throws its session away."""
        for name in self._verifiers:
            others = {each for each in self.said(name, token) if each != ACCEPTED and not each.startswith("503")}
            assert not others, f"{name} says {others} of a good token"

    def assert_goes_on(self, names: Iterable[str], token: str, *, since: float = 0.0) -> None:
        for name in names:
            assert set(self.said(name, token, since=since)) == {ACCEPTED}, name


REFUSED = {f"401 revoked_{kind}" for kind in ("kid", "jti", "sid", "sub", "cli", "iss")} | {"401 inactive"}


def soon(condition: Callable[[], bool], what: str = "it", seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


class Through(HttpTransport):
    """The transport of every verifier, by way of a proxy: what is meant for the issuer goes there."""

    def __init__(self, issuer: str, proxy: FeedProxy) -> None:
        super().__init__()
        self._issuer, self._proxy = issuer, proxy

    def get(self, url: str, **options: Any) -> Any:
        return super().get(self._moved(url), **options)

    def post(self, url: str, body: bytes, **options: Any) -> Any:
        return super().post(self._moved(url), body, **options)

    def open(self, url: str, **options: Any) -> Any:
        return super().open(self._moved(url), **options)

    def _moved(self, url: str) -> str:
        assert url.startswith(self._issuer), url
        return self._proxy.url + url.removeprefix(self._issuer)


@dataclass
class Line:
    """Servers, a proxy before them, and those who use them."""

    proxy: FeedProxy
    directory: Path
    settings: dict[str, Any]
    demo: Demo
    servers: list[ServerProcess] = field(default_factory=list)
    _made: list[Verifier] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return str(self.settings["issuer"])

    @property
    def service(self) -> tuple[str, str]:
        return Demo.SERVICE, self.demo.service_secret

    # -- servers ----------------------------------------------------------------------------------

    def add_server(self, *, behind_proxy: bool = True, **settings: Any) -> ServerProcess:
        server = ServerProcess(self.directory, **{**self.settings, **settings})
        self.servers.append(server)
        server.start()
        if behind_proxy:
            self.proxy.upstreams.append(server.port)
        return server

    # -- tokens: asked of the servers directly, whatever the proxy does -----------------------------

    def token(self, on: int = 0, auth: tuple[str, str] | None = None) -> str:
        """A program's own."""
        url = f"{self.servers[on].url}/token"
        answer = httpx.post(url, data={"grant_type": "client_credentials"}, auth=auth or self.service, timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def log_in(self, on: int = 0) -> dict[str, Any]:
        body = {"username": self.demo.username, "password": self.demo.password, "client_id": Demo.APP}
        answer = httpx.post(f"{self.servers[on].url}/login", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def admin(self, on: int = 0) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(on, (Demo.ADMIN, self.demo.admin_secret))}"}

    def revoke(self, on: int = 0, *, wait: int | None = None, **target: Any) -> float:
        """Returns the moment of the acknowledgement."""
        headers = self.admin(on) | ({"Prefer": f"wait={wait}"} if wait is not None else {})
        answer = httpx.post(f"{self.servers[on].url}/admin/revocations", json=target, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return time.monotonic()

    def active(self, token: str, on: int = 0) -> bool:
        answer = httpx.post(f"{self.servers[on].url}/introspect", data={"token": token}, auth=self.service, timeout=30)
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["active"])

    def seq(self, on: int = 0) -> int:
        """Of the newest checkpoint."""
        return int(checkpoint_of(httpx.get(f"{self.servers[on].url}/revocations/tail", timeout=30).text)["seq"])

    # -- verifiers --------------------------------------------------------------------------------

    def verifier(self, *, on_stale: OnStale = "introspect", ready: bool = True, **options: Any) -> Verifier:
        """Closed with the line. Behind the proxy, and ready."""
        settled = {"max_staleness": STALENESS, "client_id": Demo.SERVICE, "client_secret": self.demo.service_secret}
        through = Through(self.issuer, self.proxy)
        defaults = {**settled, "report": False, "transport": through}
        made = Verifier(self.issuer, audience=API, on_stale=on_stale, **{**defaults, **options})
        self._made.append(made)
        made.start()
        if ready:
            assert made.wait_ready(PATIENCE), made.status()
        return made

    def verifiers(self, *modes: str) -> dict[str, Verifier]:
        """One of each policy that follows the stream, and one that refuses when in doubt for each other mode."""
        found = {policy: self.verifier(on_stale=policy) for policy in ("introspect", "deny")}
        return found | {mode: self.verifier(on_stale="deny", feed=mode) for mode in modes}

    # -- the end ----------------------------------------------------------------------------------

    def beside(self) -> Line:
        """Another proxy before the same servers; to be closed."""
        proxy = FeedProxy()
        proxy.upstreams = self.proxy.upstreams
        return Line(proxy, self.directory, self.settings, self.demo, self.servers)

    def close(self) -> None:
        """What is this line's own; the servers go on."""
        for each in self._made:
            each.close()
        self.proxy.close()

    def stop(self) -> None:
        self.close()
        for server in self.servers:
            server.clean_up()


def checkpoint_of(tail: str) -> dict[str, Any]:
    """The claims of the checkpoint in a tail, unverified."""
    return claims_of(tail.partition("\n")[0])


@contextmanager
def line(directory: Path, database_url: str, *, servers: int = 1, **settings: Any) -> Iterator[Line]:
    """Running servers on a migrated database."""
    proxy = FeedProxy()
    keys = directory / "keys"
    if not keys.exists():
        create_master_key(keys / "master.key")
    chosen = {
        "issuer": f"http://127.0.0.1:{free_port()}",
        "database_url": database_url,
        "keys_dir": keys,
        "password_threads": 1,
        **settings,
    }
    made = Line(proxy, directory, chosen, run_apart(prepare(Settings(**chosen), directory / "demo.json")))
    try:
        for _ in range(servers):
            made.add_server()
        yield made
    finally:
        made.stop()


@dataclass
class Survived:
    """What was seen of a fault."""

    verifiers: dict[str, Verifier]
    good: str
    bad: str
    watch: Watch
    began: float
    acknowledged: float = 0.0


@contextmanager
def under(
    served: Line,
    fault: AbstractContextManager[object],
    verifiers: dict[str, Verifier] | None = None,
    *,
    then: Callable[[], object] = lambda: None,
    log_in: bool = False,
) -> Iterator[Survived]:
    """Revokes a token under the fault, watches until the bound is over, checks the promise; then the recovery.

    With `log_in` the token is a user's, and it is the log-in that is revoked. The body runs under the fault, after the
    bound. `then` is done at once after the acknowledgement; the body mends it.
    """
    verifiers = verifiers or served.verifiers()
    good, bad = served.token(), served.log_in()["access_token"] if log_in else served.token()
    target = {"family_id": claims_of(bad)["sid"]} if log_in else {"token": bad}
    for name, each in verifiers.items():
        soon(lambda each=each: verdict(each, bad) == ACCEPTED, f"{name} accepts")  # type: ignore[misc]  # a lambda bound to the loop's variable
    with ExitStack() as stack:
        watch = stack.enter_context(Watch(verifiers, {"good": good, "bad": bad}))
        with fault:
            seen = Survived(verifiers, good, bad, watch, time.monotonic())
            seen.acknowledged = served.revoke(**target)
            then()
            until_after(seen.acknowledged + BOUND, watch, verifiers)
            yield seen
        watch.assert_cut_off_in_time("bad", seen.acknowledged)
        watch.assert_never_401("good")
        assert_well_again(watch, verifiers)
        watch.assert_cut_off_in_time("bad", seen.acknowledged)
        watch.assert_never_401("good")


def until_after(moment: float, watch: Watch, verifiers: Iterable[str]) -> None:
    """Until every verifier was asked about the revoked token after that moment."""
    time.sleep(max(0.0, moment - time.monotonic()))
    for name in verifiers:
        soon(lambda name=name: bool(watch.said(name, "bad", since=moment)), f"{name} answers")  # type: ignore[misc]  # a lambda bound to the loop's variable


def assert_well_again(watch: Watch, verifiers: Mapping[str, Verifier]) -> None:
    """By itself: the good token is accepted, and the revoked one known to be so from the feed."""
    for name in verifiers:
        soon(lambda name=name: known_refused(watch.last(name, "bad")), f"{name} knows")  # type: ignore[misc]  # a lambda bound to the loop's variable
        soon(lambda name=name: watch.last(name, "good") == ACCEPTED, f"{name} accepts")  # type: ignore[misc]  # a lambda bound to the loop's variable


# -- many faults at once --------------------------------------------------------------------------

Scenario = Callable[[Line], None]


@contextmanager
def together(served: Line, request: pytest.FixtureRequest) -> Iterator[Mapping[Scenario, Future[None]]]:
    """Runs the scenarios of this module that were asked for, at the same time: most of each is waiting.

    Each has a proxy and verifiers of its own before the same servers.
    """
    items = [item for item in request.session.items if item.path == request.path]
    scenarios = [item.callspec.params["scenario"] for item in items if hasattr(item, "callspec")]

    def run(scenario: Scenario) -> None:
        with closing(served.beside()) as own:
            scenario(own)

    with ThreadPoolExecutor(len(scenarios)) as pool:
        yield {scenario: pool.submit(run, scenario) for scenario in scenarios}


def named(scenario: Scenario) -> str:
    return scenario.__name__
