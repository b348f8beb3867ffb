"""What each level of revocation ends, and what it must leave alone: at once, on an instance that was not told.

Every question is put to the second instance, the revocation to the first.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from authserver.model.client import Client
from authserver.model.grant import Authorization, Versions
from authserver.model.revocation import RevocationTarget
from authserver.oauth.form import Form
from tests.site import API, TEST, LogIn, Party, Site, claims_of

TOLD, UNTOLD = 0, 1


@dataclass
class World:
    """Somebody's log-in, and everybody who must not suffer for it."""

    site: Site
    admin: dict[str, str]
    one: LogIn
    """The log-in that is revoked."""
    twin: LogIn
    """The same user at the same client, on another device: another family."""
    elsewhere: LogIn
    """The same user at another client."""
    browser: LogIn
    """The same user's session with a cookie."""
    neighbour: LogIn
    """Another user of the same client."""
    program: Party
    program_token: str

    session_id: str
    """Of `one`."""

    async def alive(self) -> set[str]:
        """Which of them still get in, asked of the instance that was not told, each in every way."""
        found = {name for name, login in self._token_log_ins() if await self._bearer_alive(login)}
        found |= await self._of_the_browser()
        if await self.site.active(self.program_token, on=UNTOLD):
            found.add("program")
        return found

    async def refreshable(self) -> set[str]:
        found = set()
        for name, login in self._token_log_ins():
            response = await self.site.refresh(login, on=UNTOLD)
            if response.status_code == 200:
                assert await self._bearer_alive(login), f"{name} was handed a dead token"
                found.add(name)
            else:
                assert response.json()["error"] == "invalid_grant"
        return found

    def _token_log_ins(self) -> list[tuple[str, LogIn]]:
        return [("one", self.one), ("twin", self.twin), ("elsewhere", self.elsewhere), ("neighbour", self.neighbour)]

    async def _bearer_alive(self, login: LogIn) -> bool:
        active = await self.site.active(login.tokens["access_token"], on=UNTOLD)
        assert await self._everywhere(login.bearer) is active, "the endpoints disagree"
        return active

    async def _everywhere(self, credentials: dict[str, str]) -> bool:
        http = self.site.instances[UNTOLD].http
        statuses = {(await http.get(path, headers=credentials)).status_code for path in ("/session", "/forward-auth")}
        assert len(statuses) == 1, "the endpoints disagree"
        return statuses == {200}

    async def _of_the_browser(self) -> set[str]:
        """ "browser": the session itself; "proxy": what forward-auth makes of it."""
        http = self.site.instances[UNTOLD].http
        paths = {"browser": "/session", "proxy": "/forward-auth"}
        answers = {name: await http.get(path, headers=self.browser.cookie_header) for name, path in paths.items()}
        return {name for name, answer in answers.items() if answer.status_code == 200}

    async def untold_follows(self) -> None:
        """Until then the other instance may sign with a withdrawn key: such tokens are dead, never too alive."""
        told, untold = (instance.services for instance in self.site.instances)
        for _ in range(100):
            version = (await told.clients.issuer_version(), told.keys.signing.kid)
            if (await untold.client_cache.issuer_version(), untold.keys.signing.kid) == version:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the other instance does not follow")

    async def revoke(self, body: dict[str, object]) -> dict[str, Any]:
        response = await self.site.instances[TOLD].http.post("/admin/revocations", json=body, headers=self.admin)
        assert response.status_code == 200, response.text
        assert response.headers["revocation-seq"] == str(response.json()["sequence"])
        return dict(response.json())


@pytest.fixture
async def world(site: Site) -> World:
    admin = await site.admin()
    app, other, program = await site.app(), await site.app(), await site.client(resources=(API,))
    ada, bob = await site.user("ada"), await site.user("bob")
    one = await site.log_in(ada, app)
    listed = (await site.http.get("/admin/sessions", headers=admin)).json()["items"]
    made = World(
        site,
        admin,
        one,
        twin=await site.log_in(ada, app),
        elsewhere=await site.log_in(ada, other),
        browser=await site.log_in(ada, app, mode="session"),
        neighbour=await site.log_in(bob, app),
        program=program,
        program_token=(await site.own_token(program))["access_token"],
        session_id=listed[0]["session_id"],
    )
    assert await made.alive() == EVERYBODY, "asked first, so that whatever can be cached is cached"
    return made


EVERYBODY = {"one", "twin", "elsewhere", "browser", "proxy", "neighbour", "program"}
LOG_INS = {"one", "twin", "elsewhere", "neighbour"}


@dataclass(frozen=True)
class Level:
    name: str
    body: Callable[[World], dict[str, object]]
    ends: frozenset[str]
    """Whose access tokens (or cookie) are refused."""
    unrefreshable: frozenset[str]


def level(name: str, body: Callable[[World], dict[str, object]], ends: set[str], unrefreshable: set[str]) -> Level:
    return Level(name, body, frozenset(ends), frozenset(unrefreshable))


def kid_of(world: World) -> str:
    header = world.one.tokens["access_token"].split(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


LEVELS = [
    level("token", lambda w: {"token": w.one.tokens["access_token"]}, {"one"}, set()),
    level("jti", lambda w: {"jti": w.one.claims["jti"], "expires_at": w.one.claims["exp"]}, {"one"}, set()),
    level("refresh token", lambda w: {"token": w.one.tokens["refresh_token"]}, {"one"}, {"one"}),
    level("family", lambda w: {"family_id": w.one.claims["sid"]}, {"one"}, {"one"}),
    level("session", lambda w: {"session_id": w.session_id}, {"one"}, {"one"}),
    level(
        "user",
        lambda w: {"user_id": w.one.user.id},
        {"one", "twin", "elsewhere", "browser", "proxy"},
        {"one", "twin", "elsewhere"},
    ),
    # The session itself is the user's; what forward-auth hands on was issued to the client.
    level(
        "client",
        lambda w: {"client_id": w.one.client.id},
        {"one", "twin", "neighbour", "proxy"},
        {"one", "twin", "neighbour"},
    ),
    level("kid", lambda w: {"kid": kid_of(w)}, LOG_INS | {"program"}, set()),
    level("all", lambda w: {"all": True}, EVERYBODY, LOG_INS),
]
each_level = pytest.mark.parametrize("at", LEVELS, ids=[level.name for level in LEVELS])


@each_level
async def test_a_revocation_ends_what_it_names_and_nothing_else_at_once_on_every_instance(
    world: World, at: Level
) -> None:
    await world.revoke({**at.body(world), "reason": "test"})
    assert not await world.alive() & at.ends, "at once"
    await world.untold_follows()
    assert await world.alive() == EVERYBODY - at.ends
    assert await world.refreshable() == LOG_INS - at.unrefreshable


@each_level
async def test_whoever_logs_in_again_gets_in(world: World, at: Level) -> None:
    await world.revoke(at.body(world))
    await world.untold_follows()
    for on in (TOLD, UNTOLD):
        again = await world.site.log_in(world.one.user, world.one.client, on=on)
        assert await world.site.active(again.tokens["access_token"], on=UNTOLD)
        assert (await world.site.refresh(again, on=UNTOLD)).status_code == 200


@each_level
async def test_the_told_instance_issues_good_tokens_in_its_next_answer(world: World, at: Level) -> None:
    await world.revoke(at.body(world))
    token = (await world.site.own_token(world.program, on=TOLD))["access_token"]
    assert await world.site.active(token, on=TOLD)


async def test_a_revoked_client_gets_a_good_token_in_the_told_instances_next_answer(world: World) -> None:
    for _ in range(5):
        await world.site.own_token(world.program, on=TOLD)
        await world.revoke({"client_id": world.program.id})
        token = (await world.site.own_token(world.program, on=TOLD))["access_token"]
        assert await world.site.active(token, on=TOLD)


async def test_an_instance_with_an_old_copy_of_a_client_issues_dead_tokens_and_soon_good_ones(world: World) -> None:
    await world.site.own_token(world.program, on=UNTOLD)
    await world.revoke({"client_id": world.program.id})
    assert not await world.site.active(world.program_token, on=UNTOLD)
    versions = []
    for _ in range(40):
        token = (await world.site.own_token(world.program, on=UNTOLD))["access_token"]
        versions.append(Versions.parse(claims_of(token)["rv"]).client)
        assert await world.site.active(token, on=TOLD) is (versions[-1] == 1)
        await asyncio.sleep(0.025)
    assert versions[-1] == 1, "a second is more than enough to hear of it"


async def test_revoking_a_browser_session_leaves_its_owners_tokens(world: World) -> None:
    listed = (await world.site.http.get("/admin/sessions", headers=world.admin)).json()["items"]
    (browser,) = (session for session in listed if session["kind"] == "browser")
    await world.revoke({"session_id": browser["session_id"]})
    assert await world.alive() == EVERYBODY - {"browser", "proxy"}


async def test_the_token_that_forward_auth_hands_on_dies_with_its_session(world: World) -> None:
    http = world.site.instances[UNTOLD].http
    answer = await http.get("/forward-auth", headers=world.browser.cookie_header)
    handed_on = answer.headers["authorization"].removeprefix("Bearer ")
    await world.revoke({"user_id": world.browser.user.id})
    check = {"Authorization": f"Bearer {handed_on}"}
    assert (await http.get("/forward-auth", headers=check)).status_code == 401


async def test_an_old_refresh_token_names_its_family_as_well(world: World) -> None:
    old = world.one.tokens["refresh_token"]
    await world.site.refresh(world.one)
    await world.revoke({"token": old})
    assert await world.alive() == EVERYBODY - {"one"}


async def test_a_dead_family_gets_no_grace(world: World) -> None:
    parent = world.one.tokens["refresh_token"]
    await world.site.refresh(world.one)
    await world.revoke({"family_id": world.one.claims["sid"]})
    world.one.tokens = {**world.one.tokens, "refresh_token": parent}
    assert (await world.site.refresh(world.one, on=UNTOLD)).json()["error"] == "invalid_grant"


# -- revoked while a token is being issued -------------------------------------------------------


async def _by_client_credentials(world: World) -> Authorization:
    services = world.site.instances[UNTOLD].services
    record = await services.client_cache.get(world.program.id)
    assert isinstance(record, Client)
    return await services.grants["client_credentials"].redeem(record, Form(), TEST)


async def _by_refresh(world: World) -> Authorization:
    services = world.site.instances[UNTOLD].services
    record = await services.client_cache.get(world.one.client.id)
    assert isinstance(record, Client)
    form = Form({"refresh_token": world.one.tokens["refresh_token"]})
    return await services.grants["refresh_token"].redeem(record, form, TEST)


def _client(world: World) -> list[RevocationTarget]:
    return [RevocationTarget(kind="client", value=world.program.id), RevocationTarget(kind="all")]


def _family(world: World) -> list[RevocationTarget]:
    return [
        RevocationTarget(kind="family", value=world.one.claims["sid"]),
        RevocationTarget(kind="session", value=world.session_id),
        RevocationTarget(kind="user", value=world.one.user.id),
        RevocationTarget(kind="client", value=world.one.client.id),
        RevocationTarget(kind="all"),
    ]


@pytest.mark.parametrize(
    ("prove", "targets", "index"),
    [
        *((_by_client_credentials, _client, index) for index in range(2)),
        *((_by_refresh, _family, index) for index in range(5)),
    ],
)
async def test_a_token_minted_after_a_revocation_from_a_proof_before_it_is_dead(
    world: World,
    prove: Callable[[World], Awaitable[Authorization]],
    targets: Callable[[World], list[RevocationTarget]],
    index: int,
) -> None:
    authorization = await prove(world)
    target = targets(world)[index]
    await world.site.services.revoker.revoke(target, reason="in between", caller=TEST)
    minted = world.site.instances[UNTOLD].services.issuance.tokens.access_token(authorization)
    assert not await world.site.active(minted.token, on=UNTOLD)
    if authorization.refresh_token is not None:
        world.one.tokens = {"access_token": minted.token, "refresh_token": authorization.refresh_token}
        assert (await world.site.refresh(world.one, on=UNTOLD)).status_code == 400


@pytest.mark.parametrize("kind", ["user", "client", "all"])
async def test_of_log_ins_and_refreshes_that_race_a_revocation_none_escapes(world: World, kind: str) -> None:
    target = {
        "user": RevocationTarget(kind="user", value=world.one.user.id),
        "client": RevocationTarget(kind="client", value=world.one.client.id),
        "all": RevocationTarget(kind="all"),
    }[kind]
    part = {"user": 0, "client": 1, "all": 2}[kind]
    issued: list[str] = []
    under_way = asyncio.Event()

    async def log_in_again_and_again(on: int) -> None:
        for _ in range(4):
            login = await world.site.log_in(world.one.user, world.one.client, on=on)
            issued.append(login.tokens["access_token"])
            under_way.set()
            if (await world.site.refresh(login, on=1 - on)).status_code == 200:
                issued.append(login.tokens["access_token"])

    async def refresh_again_and_again() -> None:
        while (await world.site.refresh(world.twin, on=UNTOLD)).status_code == 200:
            issued.append(world.twin.tokens["access_token"])

    async def revoke() -> int:
        await under_way.wait()
        before = len(issued)
        await world.site.services.revoker.revoke(target, reason="race", caller=TEST)
        return before

    done = await asyncio.gather(
        revoke(), log_in_again_and_again(0), log_in_again_and_again(1), refresh_again_and_again()
    )
    for position, token in enumerate(issued):
        moved_on = Versions.parse(claims_of(token)["rv"])[part] >= 1
        assert await world.site.active(token, on=UNTOLD) is moved_on
        assert not (moved_on and position < done[0]), "a token from before the revocation is alive"
