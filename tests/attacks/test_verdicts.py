"""The verifier and introspection say the same of every token, whatever has happened: random histories.

A real server on the loopback, three real verifiers (stream, long poll, one that is started anew again and again), and
every token that was ever issued. More histories than in the usual run: `--histories 1000 --timeout 0`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from authserver.model.account import User
from authserver.model.time import HOUR, MINUTE, SECOND
from authserver.verifier.errors import InvalidToken, Undecided
from authserver.verifier.verifier import Verifier
from tests.loopback_site import LoopbackSite, loopback_site
from tests.site import API, PASSWORD, TEST, LogIn, Party, claims_of, make_keys_dir

STEPS = 22
ANY = st.integers(0, 1_000)
"""Picks one of whatever there is by then."""
NEVER_STALE = 1e9
"""So that what is said is what the feed says, and nobody is asked."""
CATCH_UP_SECONDS = 15.0
BEHIND = 2 * SECOND
"""By so much a verifier's idea of the issuer's time may be behind, as a checkpoint may be that old when it comes: for
so long it may take a token that is over for one that is not."""
FEW = ("token", "jti", "refresh token", "family", "session")
MANY = ("user", "client", "kid", "all")


class World:
    """One server for all histories: each has users, clients, log-ins and verifiers of its own."""

    def __init__(self, site: LoopbackSite) -> None:
        self.site = site
        self._numbers = itertools.count(1)
        self.api = self.do(lambda s: s.client(id="api", audiences=(API,)))
        self.boss = self.do(lambda s: s.client(id="boss", scopes=("admin",)))

    def do(self, what: Callable[[Any], Any]) -> Any:
        """Something that the `Site` can do."""
        return self.site.do(what(self.site.site))

    def name(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    def seconds(self) -> float:
        """One clock for all, so that time passes for all at the same moment."""
        return self.site.now() / SECOND

    def verifier(self, feed: Any = "stream") -> Verifier:
        made = Verifier(
            self.site.url,
            audience=API,
            max_staleness=NEVER_STALE,
            on_stale="deny",
            leeway=0.0,
            feed=feed,
            client_id=self.api.id,
            client_secret=self.api.secret,
            clock=self.seconds,
            monotonic=self.seconds,
        )
        assert made.wait_ready(CATCH_UP_SECONDS), made.status()
        return made

    # -- administration ---------------------------------------------------------------------------

    def kids(self) -> set[str]:
        """Of the keys that are published."""
        return {str(key["kid"]) for key in self.do(lambda s: s.http.get("/.well-known/jwks.json")).json()["keys"]}

    def administer(self, method: str, path: str, *, but: tuple[int, ...] = (), **body: object) -> None:
        """`but`: other statuses than success that are right."""

        async def ask(site: Any) -> Any:
            token = (await site.own_token(self.boss))["access_token"]
            return await site.http.request(method, path, json=body, headers={"Authorization": f"Bearer {token}"})

        answer = self.do(ask)
        assert answer.status_code < 300 or answer.status_code in but, answer.text

    def keys_changed(self) -> None:
        """A copy of the keys is renewed for an unknown one twice a minute at most: let half a minute pass."""
        self.site.step_clock(31 * SECOND)

    # -- verdicts ---------------------------------------------------------------------------------

    def introspected(self, tokens: list[str]) -> list[bool]:
        async def ask(site: Any) -> list[bool]:
            asked = (site.http.post("/introspect", data={"token": token}, auth=self.api.auth) for token in tokens)
            return [answer.json()["active"] for answer in await asyncio.gather(*asked)]

        return list(self.do(ask))

    def wait_for(self, verifiers: list[Verifier]) -> None:
        """Until each has applied all that the server knows."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while True:
            head = self.site.do(self.site.site.services.log_store.head())
            found = [(each.status()["log"], each.status()["seq"]) for each in verifiers]
            if not head.pending and set(found) == {(head.log, head.seq)}:
                return
            assert time.monotonic() < deadline, f"{found} do not reach {head}"
            time.sleep(0.002)


def verdict(verifier: Verifier, token: str) -> bool:
    """Nothing but yes and no: what is not decided would be a disagreement, too."""
    try:
        verifier.verify(token)
    except InvalidToken:
        return False
    except Undecided as undecided:
        raise AssertionError(f"{undecided.code}: {undecided.detail}; {verifier.status()}") from undecided
    return True


def kid_of(token: str) -> str:
    head = token.partition(".")[0]
    return str(json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


class Verdicts(RuleBasedStateMachine):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.tokens: list[str] = []
        """Every access token of this history."""
        self.log_ins: list[LogIn] = []
        self.verifiers: dict[str, Verifier] = {}

    @initialize()
    def begin(self) -> None:
        world = self.world
        self.users: list[User] = [world.do(lambda s: s.user(world.name("user"))) for _ in range(2)]
        self.apps: list[Party] = [world.do(lambda s: s.app(id=world.name("app"))) for _ in range(2)]
        self.programs: list[Party] = [
            world.do(lambda s: s.client(id=world.name("program"), resources=(API,))) for _ in range(2)
        ]
        self.verifiers = {"stream": world.verifier(), "poll": world.verifier("poll"), "newcomer": world.verifier()}
        for number in (0, 1):
            self._log_in(self.users[number], self.apps[0])
            self.program_token(number)

    def teardown(self) -> None:
        for each in self.verifiers.values():
            each.close()

    def _issued(self, tokens: dict[str, Any]) -> None:
        self.tokens.append(tokens["access_token"])

    # -- what is issued ---------------------------------------------------------------------------

    @rule(user=ANY, app=ANY)
    def log_in(self, user: int, app: int) -> None:
        self._log_in(self.users[user % 2], self.apps[app % 2])

    def _log_in(self, user: User, app: Party) -> None:
        body = {"username": user.username, "password": PASSWORD, "client_id": app.id}
        answer = self.world.do(lambda s: s.http.post("/login", json=body))
        assert answer.status_code in (200, 400, 401), "refused to whoever is disabled"
        if answer.status_code == 200:
            self.log_ins.append(LogIn(user, app, tokens=answer.json()))
            self._issued(answer.json())

    @rule(which=ANY)
    def program_token(self, which: int) -> None:
        program, form = self.programs[which % 2], {"grant_type": "client_credentials"}
        answer = self.world.do(lambda s: s.http.post("/token", data=form, auth=program.auth))
        assert answer.status_code in (200, 401), "refused to whoever is disabled"
        if answer.status_code == 200:
            self._issued(answer.json())

    @rule(which=ANY)
    def refresh(self, which: int) -> None:
        log_in = self.log_ins[which % len(self.log_ins)]
        if self.world.do(lambda s: s.refresh(log_in)).status_code == 200:
            self._issued(log_in.tokens)

    @rule(which=ANY)
    def reuse(self, which: int) -> None:
        """A refresh token that was used, presented by somebody who has a copy: the family ends."""
        log_in = self.log_ins[which % len(self.log_ins)]
        old = dict(log_in.tokens)
        for _ in range(2):
            if self.world.do(lambda s: s.refresh(log_in)).status_code == 200:
                self._issued(log_in.tokens)
        kept, log_in.tokens = log_in.tokens, old
        assert self.world.do(lambda s: s.refresh(log_in)).status_code in (400, 401)
        log_in.tokens = kept

    # -- what is taken back -----------------------------------------------------------------------

    @rule(which=ANY, level=st.sampled_from(FEW))
    def revoke_little(self, which: int, level: str) -> None:
        self._revoke(which, level)

    @rule(which=ANY, level=st.sampled_from(MANY))
    def revoke_much(self, which: int, level: str) -> None:
        self._revoke(which, level)

    def _revoke(self, which: int, level: str) -> None:
        log_in = self.log_ins[which % len(self.log_ins)]
        access, claims = log_in.tokens["access_token"], log_in.claims
        if level == "kid" and kid_of(access) != self.world.site.site.services.keys.signing.kid:
            return  # withdrawn before
        if level in ("token", "jti") and self._is_over(claims):
            return
        body: dict[str, object] = {
            "token": lambda: {"token": access},
            "jti": lambda: {"jti": claims["jti"], "expires_at": claims["exp"]},
            "refresh token": lambda: {"token": log_in.tokens["refresh_token"]},
            "family": lambda: {"family_id": claims["sid"]},
            "session": lambda: {"session_id": self._session_of(log_in)},
            "user": lambda: {"user_id": log_in.user.id},
            "client": lambda: {"client_id": log_in.client.id},
            "kid": lambda: {"kid": kid_of(access)},
            "all": lambda: {"all": True},
        }[level]()
        withdrawn = level == "token" and kid_of(access) not in self.world.kids()
        self.world.administer("POST", "/admin/revocations", but=(404,) if withdrawn else (), **body)
        if level == "kid":
            self.world.keys_changed()

    def _is_over(self, claims: dict[str, Any]) -> bool:
        """Or is about to be."""
        return int(claims["exp"]) * SECOND <= self.world.site.now() + SECOND

    def _session_of(self, log_in: LogIn) -> str:
        services = self.world.site.site.services
        family = self.world.site.do(services.families.get(log_in.claims["sid"]))
        assert family is not None
        return str(family.session_id)

    @rule(which=ANY)
    def revoke_a_program(self, which: int) -> None:
        self.world.administer("POST", "/admin/revocations", client_id=self.programs[which % 2].id)

    @rule(which=ANY)
    def revoke_any_token_by_its_id(self, which: int) -> None:
        claims = claims_of(self.tokens[which % len(self.tokens)])
        if not self._is_over(claims):
            self.world.administer("POST", "/admin/revocations", jti=claims["jti"], expires_at=claims["exp"])

    @rule(which=ANY)
    def log_out(self, which: int) -> None:
        log_in = self.log_ins[which % len(self.log_ins)]
        self.world.do(lambda s: s.http.post("/logout", headers=log_in.bearer))

    # -- what is changed --------------------------------------------------------------------------

    @rule(which=ANY, enabled=st.booleans())
    def set_user(self, which: int, enabled: bool) -> None:
        self.world.administer("PATCH", f"/admin/users/{self.users[which % 2].id}", enabled=enabled)

    @rule(which=ANY, enabled=st.booleans())
    def set_client(self, which: int, enabled: bool) -> None:
        party = (self.apps + self.programs)[which % 4]
        self.world.administer("PATCH", f"/admin/clients/{party.id}", enabled=enabled)

    @rule(which=ANY)
    def change_the_password(self, which: int) -> None:
        directory = self.world.site.site.services.directory
        self.world.site.do(directory.set_password(self.users[which % 2].id, PASSWORD, caller=TEST))

    # -- what happens -----------------------------------------------------------------------------

    @rule(duration=st.sampled_from([SECOND, 2 * MINUTE, 5 * MINUTE + BEHIND, HOUR]))
    def time_passes(self, duration: int) -> None:
        self.world.site.step_clock(duration)

    @rule(what=st.sampled_from(["server restarts", "verifier restarts", "verifier restarts", "key rotates"]))
    def operations(self, what: str) -> None:
        if what == "server restarts":
            self.world.site.restart()
        elif what == "verifier restarts":
            self.verifiers["newcomer"].close()
            self.verifiers["newcomer"] = self.world.verifier()
        else:
            self.world.administer("POST", "/admin/keys/rotate", now=True)
            self.world.keys_changed()

    # -- what must hold ---------------------------------------------------------------------------

    @invariant()
    def all_say_the_same(self) -> None:
        self.world.wait_for(list(self.verifiers.values()))
        if self._differences():  # a token may expire while we ask
            assert not self._differences()

    def _differences(self) -> list[str]:
        now = self.world.site.now()
        tokens = [token for token in self.tokens if not 0 <= now - claims_of(token)["exp"] * SECOND < BEHIND]
        truth = self.world.introspected(tokens)
        return [
            f"{name} says {said} of {claims_of(token)}"
            for name, verifier in self.verifiers.items()
            for token, active in zip(tokens, truth, strict=True)
            if (said := verdict(verifier, token)) is not active
        ]


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[World]:
    with loopback_site(sqlite_url, make_keys_dir(tmp_path / "keys")) as site:
        yield World(site)


def test_verifier_and_introspection_agree_after_every_history(world: World, request: pytest.FixtureRequest) -> None:
    run_state_machine_as_test(
        lambda: Verdicts(world),
        settings=settings(
            max_examples=request.config.getoption("--histories"),
            stateful_step_count=STEPS,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
