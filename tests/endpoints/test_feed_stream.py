"""The stream, and what a caller that waits for publication is told, of a whole server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.feed_wire import chain, checked, published, revoke, revoke_many, split
from tests.site import Site, make_keys_dir, open_site
from tests.sse import Stream, reading


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(database_url, make_keys_dir(tmp_path)) as opened:
        await published(opened)
        yield opened


@pytest.fixture
async def two(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """Two processes that share the database alone."""
    async with open_site(database_url, make_keys_dir(tmp_path), instances=2) as opened:
        await published(opened, 0)
        await published(opened, 1)
        yield opened


def app(site: Site, on: int = 0) -> Any:
    return site.instances[on].http._transport.app  # type: ignore[attr-defined]  # httpx has no name for it


async def test_a_stream_tells_of_a_revocation_with_the_checkpoint_that_covers_it(site: Site) -> None:
    log = (await site.services.log_store.head()).log
    async with reading(app(site), "/revocations/stream") as stream:
        assert (stream.status, stream.headers["access-control-allow-origin"]) == (200, "*")
        reset, first = await stream.until("cp")
        assert (reset.name, reset.json, reset.id) == ("reset", {"log": log, "seq": 0}, f"{log}.0")
        assert (await checked(site, first.data))["seq"] == 0
        seq = await revoke(site, jti="a-jti")
        events = (await stream.until("rev"))[-1:] + await stream.until("cp")
        assert [event.name for event in events] == ["rev", "cp"]
        assert (events[0].id, events[0].json["s"]) == (f"{log}.{seq}", seq)
        claims = await checked(site, events[1].data)
        assert (claims["seq"], claims["h"]) == (seq, chain(log, [events[0].data]))


async def test_a_stream_goes_on_on_another_server(two: Site) -> None:
    log = (await two.services.log_store.head()).log
    await revoke_many(two, 3)
    async with reading(app(two, 1), "/revocations/stream", headers={"Last-Event-ID": f"{log}.1"}) as stream:
        lines = await lines_up_to(stream, 2)  # it may hear of them one after the other
        assert [json.loads(line)["s"] for line in lines] == [2, 3]


async def test_every_server_tells_of_what_was_revoked_on_another(two: Site) -> None:
    async with reading(app(two, 1), "/revocations/stream") as stream:
        await stream.until("cp")
        seq = await revoke(two, jti="a-jti")
        async with asyncio.timeout(1):
            assert (await stream.until("rev"))[-1].json["s"] == seq


async def test_an_idle_stream_has_a_checkpoint_every_second(site: Site) -> None:
    async with reading(app(site), "/revocations/stream") as stream:
        checkpoints = [(await stream.until("cp"))[-1].data for _ in range(4)]
    moments = [(await checked(site, checkpoint))["at"] for checkpoint in checkpoints]
    gaps = [b - a for a, b in pairwise(moments)]
    assert max(gaps) <= 1000, gaps


async def test_a_burst_comes_whole_and_in_order(site: Site) -> None:
    async with reading(app(site), "/revocations/stream") as stream:
        await stream.until("cp")
        last = await revoke_many(site, 300)
        lines = await lines_up_to(stream, last)
    assert [json.loads(line)["s"] for line in lines] == list(range(1, last + 1))


async def lines_up_to(stream: Stream, seq: int) -> list[str]:
    lines: list[str] = []
    while len(lines) < seq:
        lines += [event.data for event in await stream.until("cp") if event.name == "rev"]
    return lines


# -- where a revocation stands ----------------------------------------------------------------------


async def test_the_number_of_a_revocation_is_its_place_in_the_log(site: Site) -> None:
    numbers = [await revoke(site, jti=f"jti-{n}") for n in range(3)]
    assert numbers == [1, 2, 3]
    _, lines = split((await site.http.get("/revocations/tail")).text)
    assert len(lines) == 3, "what has a number is in the tail"


async def test_a_client_that_takes_back_its_token_is_told_the_number_too(site: Site) -> None:
    robot = await site.client()
    token = (await site.own_token(robot))["access_token"]
    response = await site.http.post("/revoke", data={"token": token}, auth=robot.auth)
    assert response.headers["revocation-seq"] == "1"
    assert "preference-applied" not in response.headers


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=5", "wait=5"),
        ("respond-async, Wait = 5", "wait=5"),
        ('wait="5"; foo=bar', "wait=5"),
        ("wait=999", "wait=30"),
        ("wait=-1", None),
        ("wait=soon", None),
        ("return=minimal", None),
    ],
)
async def test_a_caller_may_prefer_to_wait_for_publication(site: Site, prefer: str, applied: str | None) -> None:
    response = await site.http.post(
        "/admin/revocations", json={"jti": "a-jti"}, headers={**await site.admin(), "Prefer": prefer}
    )
    assert response.headers.get("preference-applied") == applied
    assert response.headers["revocation-seq"] == str(response.json()["sequence"]) == "1"


async def test_an_answer_does_not_wait_long_for_a_number_that_does_not_come(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(outbox_id: int) -> None:
        return None

    monkeypatch.setattr(site.services.publication, "ask", never)
    headers = await site.admin()
    monkeypatch.setattr("authserver.web.published.PATIENCE", 1.5)
    for prefer, least, most in (({}, 1.45, 10.0), ({"Prefer": "wait=3"}, 2.95, 20.0), ({"Prefer": "wait=0"}, 0, 1.4)):
        begun = time.monotonic()
        response = await site.http.post(
            "/admin/revocations", json={"jti": f"jti-{least}"}, headers={**headers, **prefer}
        )
        assert least <= time.monotonic() - begun < most, prefer
        assert (response.status_code, response.json()["sequence"]) == (200, None)
        assert "revocation-seq" not in response.headers


async def test_a_hundred_revocations_at_once_have_a_hundred_numbers_and_few_looks_at_the_log(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower, looks = site.services.log.follower, 0
    look = type(follower).look

    async def counted(self: Any) -> bool:
        nonlocal looks
        looks += 1
        return await look(self)

    monkeypatch.setattr(type(follower), "look", counted)
    headers = {**await site.admin(), "Prefer": "wait=10"}

    async def one(n: int) -> httpx.Response:
        return await site.http.post("/admin/revocations", json={"jti": f"jti-{n}"}, headers=headers)

    begun = time.monotonic()
    answers = await asyncio.gather(*(one(n) for n in range(100)))
    polls = (time.monotonic() - begun) / 0.05
    assert sorted(answer.json()["sequence"] for answer in answers) == list(range(1, 101))
    assert looks < 60 + polls
