"""The feed over HTTP, of a whole server: its bytes are reckoned here anew, from docs/feed.md alone."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.feed_wire import chain, checked, key_of, published, revoke, revoke_many, split, until
from tests.site import ISSUER, Site, make_keys_dir, open_site

TTL = 300
"""Seconds that an access token lives."""


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(database_url, make_keys_dir(tmp_path)) as opened:
        await published(opened)
        yield opened


# -- tail -------------------------------------------------------------------------------------------


async def test_the_metadata_names_the_feed(site: Site) -> None:
    metadata = (await site.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["revocation_feed_endpoint"] == f"{ISSUER}/revocations"


async def test_an_empty_log_is_a_checkpoint_alone(site: Site) -> None:
    checkpoint, records = split((await site.http.get("/revocations/tail")).text)
    claims = await checked(site, checkpoint)
    assert (claims["seq"], claims["floor"], records) == (0, 1, [])
    assert claims["h"] == chain(claims["log"], [])
    assert len(claims["log"]) == 16


async def test_every_kind_of_revocation_is_a_record_that_anybody_can_reckon(site: Site) -> None:
    user, app, robot = await site.user(), await site.app(), await site.client()
    login = await site.log_in(user, app)
    kid = jwt.get_unverified_header(login.tokens["access_token"])["kid"]
    now = int(time.time())
    await revoke(site, jti="a-jti", expires_at=now + 1000)
    await revoke(site, session_id=site_session(login.claims, await sessions_of(site)))
    await revoke(site, user_id=user.id)
    await revoke(site, client_id=robot.id)
    await revoke(site, all=True)
    last = await revoke(site, kid=kid)
    checkpoint, lines = split((await site.http.get("/revocations/tail")).text)
    claims = await checked(site, checkpoint)
    assert (claims["seq"], claims["h"]) == (last, chain(claims["log"], lines))
    records = [json.loads(line) for line in lines]
    assert [json.dumps(record, separators=(",", ":")) for record in records] == lines
    assert [list(record) for record in records] == [["s", "t", "k", "v", "x"]] * len(records)
    assert [record["s"] for record in records] == list(range(1, last + 1))
    facts = [(record["t"], record["k"], record["v"]) for record in records]
    assert facts == [
        ("jti", key_of("jti", "a-jti"), 0),
        ("sid", key_of("sid", login.claims["sid"]), 0),
        ("sub", key_of("sub", user.id), 1),
        ("cli", key_of("cli", robot.id), 1),
        ("iss", key_of("iss", ""), 1),
        ("kid", key_of("kid", kid), 0),
    ]
    ends = [record["x"] - now for record in records]
    assert 1060 <= ends[0] <= 1062
    assert all(TTL + 60 <= end <= TTL + 75 for end in ends[1:5])
    assert ends[5] >= 25 * 3600


async def sessions_of(site: Site) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await site.http.get("/admin/sessions", headers=await site.admin())).json()["items"]
    return items


def site_session(claims: dict[str, Any], sessions: list[dict[str, Any]]) -> str:
    return next(session["session_id"] for session in sessions if session["user_id"] == claims["sub"])


async def test_the_tail_may_be_cached_for_a_second_and_read_from_any_page(site: Site) -> None:
    response = await site.http.get("/revocations/tail")
    assert response.headers["cache-control"] == "public, max-age=1"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "vary" not in response.headers
    head = await site.http.head("/revocations/tail")
    assert (head.status_code, head.headers["content-type"]) == (200, "text/plain; charset=utf-8")


async def test_who_has_the_tail_is_told_so_until_there_is_a_newer_one(site: Site) -> None:
    etag = (await site.http.get("/revocations/tail")).headers["etag"]
    unchanged = await site.http.get("/revocations/tail", headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content) in ((304, b""), (200, unchanged.content))

    async def is_over() -> bool:
        return (await site.http.get("/revocations/tail", headers={"If-None-Match": etag})).status_code == 200

    await until(is_over)


async def test_a_checkpoint_is_signed_anew_every_second(site: Site) -> None:
    moments: set[int] = set()
    begun = time.monotonic()
    while len(moments) < 4 and time.monotonic() - begun < 10:
        checkpoint, _ = split((await site.http.get("/revocations/tail")).text)
        moments.add((await checked(site, checkpoint))["at"])
        await asyncio.sleep(0.05)
    gaps = [b - a for a, b in zip(sorted(moments), sorted(moments)[1:], strict=False)]
    assert max(gaps) <= 1000, gaps


async def test_the_tail_holds_the_newest_tile(site: Site) -> None:
    await revoke_many(site, 255)
    await revoke_many(site, 5)
    checkpoint, lines = split((await site.http.get("/revocations/tail")).text)
    assert [json.loads(line)["s"] for line in lines] == [256, 257, 258, 259, 260]
    assert (await checked(site, checkpoint))["seq"] == 260


# -- long poll --------------------------------------------------------------------------------------


async def test_a_long_poll_is_answered_when_there_is_a_record(site: Site) -> None:
    await revoke_many(site, 2)
    waiting = asyncio.create_task(site.http.get("/revocations/tail?after=2&wait=20"))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await revoke_many(site, 3)
    response = await asyncio.wait_for(waiting, 2)
    checkpoint, lines = split(response.text)
    assert json.loads(lines[0])["s"] == 3
    assert (await checked(site, checkpoint))["seq"] == json.loads(lines[-1])["s"]
    assert response.headers["cache-control"] == "no-store"


async def test_a_long_poll_without_news_is_answered_when_its_time_is_up(site: Site) -> None:
    await revoke_many(site, 2)
    for after in (2, 99):
        begun = time.monotonic()
        response = await site.http.get(f"/revocations/tail?after={after}&wait=1")
        assert 0.9 < time.monotonic() - begun < 10
        checkpoint, lines = split(response.text)
        assert ((await checked(site, checkpoint))["seq"], lines) == (2, [])


async def test_what_came_after_is_had_without_waiting(site: Site) -> None:
    await revoke_many(site, 5)
    begun = time.monotonic()
    for path in ("/revocations/tail?after=3", "/revocations/tail?after=3&wait=20"):
        _, lines = split((await site.http.get(path)).text)
        assert [json.loads(line)["s"] for line in lines] == [4, 5]
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("query", ["after=-1", "after=x", "wait=5", "after=1&wait=-1", "after=1&after=2", "before=1"])
async def test_parameters_that_mean_nothing_are_refused(site: Site, query: str) -> None:
    response = await site.http.get(f"/revocations/tail?{query}")
    assert (response.status_code, response.headers["cache-control"]) == (400, "no-store")


# -- who may read ---------------------------------------------------------------------------------------


PATHS = ("tail", "tail?after=0", "stream", "fedcba9876543210/tiles/0", "fedcba9876543210/snapshots/1")


async def test_a_feed_for_clients_asks_for_their_credentials(sqlite_url: str, tmp_path: Path) -> None:
    async with open_site(sqlite_url, make_keys_dir(tmp_path), feed_access="clients") as site:
        api, other = await site.client(), await site.client(secret=False)
        for path in PATHS:
            for headers in ({}, {"Authorization": basic(other.id, "x")}, {"Authorization": basic(api.id, "wrong")}):
                response = await site.http.get(f"/revocations/{path}", headers=headers)
                assert response.status_code == 401, path
                assert response.headers["www-authenticate"].startswith("Basic ")
                assert "access-control-allow-origin" not in response.headers
        assert api.secret is not None
        mine = {"Authorization": basic(api.id, api.secret)}

        async def is_there() -> bool:
            return (await site.http.get("/revocations/tail", headers=mine)).status_code == 200

        await until(is_there)
        tail = await site.http.get("/revocations/tail", headers=mine)
        assert (tail.status_code, tail.headers["cache-control"]) == (200, "private, max-age=1")
        assert tail.headers["vary"] == "Authorization"


def basic(name: str, secret: str) -> str:
    return httpx.BasicAuth(name, secret)._auth_header
