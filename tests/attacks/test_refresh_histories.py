"""Random histories of log-ins, refreshes, retries, thefts, revocations, restarts and clock jumps, against an oracle."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from authserver.audit.events import EventType
from authserver.model.account import User
from authserver.storage.sql import open_database
from tests.conftest import stores_of
from tests.oauth_server import (
    ABSOLUTE,
    DAY,
    GRACE,
    IDLE,
    SECOND,
    TOKEN_TTL,
    App,
    LogIn,
    OAuthServer,
    SettableClock,
)

T = TypeVar("T")
_numbers = itertools.count()
ANY = st.integers(0, 1_000)
"""Picks one of whatever there is by then."""


@dataclass
class Expected:
    """What the rules of TOKENS_AND_SESSIONS say about one family."""

    log_in: LogIn
    now: SettableClock
    tokens: list[str]
    rotated_at: int
    idle_until: int
    absolute_until: int
    signs: set[str] = field(default_factory=set)
    """What has ended it: "reused", "revoked", "session_ended"."""
    access_tokens: list[tuple[str, int]] = field(default_factory=list)

    def why_not(self) -> str | None:
        """None while it is alive."""
        for reason in ("reused", "withdrawn", "session_ended", "revoked"):
            if reason in self.signs:
                return "revoked" if reason == "withdrawn" else reason
        return "expired" if self.now() >= min(self.idle_until, self.absolute_until) else None

    def present(self, index: int) -> str:
        """What comes of presenting the token of that generation: "rotated", "retry" or the reason of a refusal."""
        refused = self.why_not()
        if refused is not None:
            return refused
        if index == len(self.tokens) - 1:
            return "rotated"
        if index == len(self.tokens) - 2 and self.now() - self.rotated_at < GRACE:
            return "retry"
        self.signs.add("reused")
        return "reused"

    def rotated(self, successor: str) -> None:
        self.tokens.append(successor)
        self.rotated_at = self.now()
        self.idle_until = min(self.now() + IDLE, self.absolute_until)


class Histories(RuleBasedStateMachine):
    def __init__(self, template: Path, directory: Path) -> None:
        super().__init__()
        path = directory / f"{next(_numbers)}.db"
        shutil.copy(template, path)
        self.runner = asyncio.Runner()
        self.database = open_database(f"sqlite+aiosqlite:///{path}")
        self.do(self.database.start())
        self.families: list[Expected] = []

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        try:
            for family in self.families:
                self.present(family, len(family.tokens) - 1)
        finally:
            self.do(self.database.close())
            self.runner.close()

    @initialize()
    def begin(self) -> None:
        self.server = self.do(OAuthServer(stores_of(self.database)).start())
        self.users: list[User] = [self.do(self.server.a_user()) for _ in range(2)]
        self.clients: list[App] = [self.do(self.server.a_public_client()) for _ in range(2)]
        self.resource_server = self.do(self.server.a_resource_server())

    # -- what happens ---------------------------------------------------------------------------

    @precondition(lambda self: len(self.families) < 4)
    @rule(user=ANY, client=ANY)
    def log_in(self, user: int, client: int) -> None:
        opened = self.do(self.server.a_log_in(self.clients[client % 2], self.users[user % 2]))
        clock, now = self.server.clock, self.server.clock()
        self.families.append(Expected(opened, clock, [opened.refresh_token], now, now + IDLE, now + ABSOLUTE))

    @precondition(lambda self: self.families)
    @rule(which=ANY)
    def refresh(self, which: int) -> None:
        family = self.families[which % len(self.families)]
        self.present(family, len(family.tokens) - 1)

    @precondition(lambda self: self.families)
    @rule(which=ANY, later=st.sampled_from([0, GRACE - 1, GRACE]))
    def lose_the_answer_and_retry(self, which: int, later: int) -> None:
        family = self.families[which % len(self.families)]
        presented = len(family.tokens) - 1
        self.present(family, presented)
        self.server.clock.passes(later)
        self.present(family, presented)

    @precondition(lambda self: self.families)
    @rule(which=ANY, generation=ANY)
    def present_any_token(self, which: int, generation: int) -> None:
        family = self.families[which % len(self.families)]
        self.present(family, generation % len(family.tokens))

    @precondition(lambda self: self.families)
    @rule(which=ANY, callers=st.integers(2, 6))
    def refresh_at_once(self, which: int, callers: int) -> None:
        """Whoever wins, the others get the same."""
        family = self.families[which % len(self.families)]
        if family.why_not() is not None:
            return

        async def race() -> list[Any]:
            refreshes = (self.server.refresh(family.log_in, family.tokens[-1]) for _ in range(callers))
            return await asyncio.gather(*refreshes)

        answers = self.do(race())
        assert {answer.status_code for answer in answers} == {200}
        (successor,) = {answer.json()["refresh_token"] for answer in answers}
        family.rotated(successor)

    @precondition(lambda self: self.families)
    @rule(which=ANY, generation=ANY)
    def steal_for_another_client(self, which: int, generation: int) -> None:
        family = self.families[which % len(self.families)]
        thief = next(client for client in self.clients if client.id != family.log_in.client.id)
        token = family.tokens[generation % len(family.tokens)]
        answer = self.do(self.server.refresh(family.log_in, token, client=thief))
        assert (answer.json()["error"], answer.json().get("error_reason")) == ("invalid_grant", None)

    @precondition(lambda self: self.families)
    @rule(which=ANY)
    def revoke_the_family(self, which: int) -> None:
        family = self.families[which % len(self.families)]
        alive = not family.signs
        self.do(self.server.revoke("family", family.log_in.family_id))
        if alive:
            family.signs.add("revoked")

    @precondition(lambda self: self.families)
    @rule(which=ANY)
    def log_out(self, which: int) -> None:
        family = self.families[which % len(self.families)]
        event = self.server.event(EventType.SESSION_ENDED)
        self.do(
            self.server.stores.sessions.end(
                family.log_in.session_id, at=self.server.clock(), reason="logout", event=event
            )
        )
        family.signs.add("session_ended")

    @rule(kind=st.sampled_from(["user", "client", "all"]), which=ANY)
    def revoke_many(self, kind: str, which: int) -> None:
        value = {"user": self.users[which % 2].id, "client": self.clients[which % 2].id, "all": ""}[kind]
        self.do(self.server.revoke(kind, value))
        for family in self.families:
            if value in ("", family.log_in.user.id, family.log_in.client.id):
                family.signs.add("withdrawn")

    @rule(duration=st.sampled_from([SECOND, GRACE - SECOND, GRACE, TOKEN_TTL, DAY, IDLE - DAY, IDLE]))
    def time_passes(self, duration: int) -> None:
        self.server.clock.passes(duration)

    @rule()
    def restart(self) -> None:
        self.server = self.do(self.server.restarted())

    # -- what must hold -------------------------------------------------------------------------

    def present(self, family: Expected, index: int) -> None:
        expected = family.present(index)
        answer = self.do(self.server.refresh(family.log_in, family.tokens[index]))
        if expected not in ("rotated", "retry"):
            assert (answer.json().get("error"), answer.json().get("error_reason")) == ("invalid_grant", expected)
            return
        assert answer.status_code == 200, answer.text
        if expected == "rotated":
            family.rotated(answer.json()["refresh_token"])
        assert answer.json()["refresh_token"] == family.tokens[-1]
        family.access_tokens.append((answer.json()["access_token"], self.server.clock() + TOKEN_TTL))

    @invariant()
    def introspection_knows_which_access_tokens_are_good(self) -> None:
        for family in self.families:
            for token, expires_at in family.access_tokens[-2:]:
                answer = self.do(self.server.introspect(self.resource_server, token))
                assert answer["active"] is (not family.signs and self.server.clock() < expires_at)


def test_every_history_of_refresh_tokens_goes_as_the_rules_say(sqlite_template: Path, tmp_path: Path):
    run_state_machine_as_test(
        lambda: Histories(sqlite_template, tmp_path),
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            phases=[Phase.generate],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
