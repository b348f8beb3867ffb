"""Tiles and snapshots of a whole server: what never changes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.feed_wire import chain, checked, published, revoke_many, split, until
from tests.site import Site, make_keys_dir, open_site


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(database_url, make_keys_dir(tmp_path)) as opened:
        await published(opened)
        yield opened


async def test_tiles_are_there_once_they_are_full_and_never_change(site: Site) -> None:
    await revoke_many(site, 254)
    log = (await checked(site, split((await site.http.get("/revocations/tail")).text)[0]))["log"]
    assert (await site.http.get(f"/revocations/{log}/tiles/0")).status_code == 404
    await revoke_many(site, 258)
    tiles = [await site.http.get(f"/revocations/{log}/tiles/{n}") for n in range(3)]
    assert [tile.status_code for tile in tiles] == [200, 200, 404]
    assert tiles[0].headers["cache-control"] == "public, max-age=31536000, immutable"
    assert tiles[0].headers["content-type"] == "application/x-ndjson"
    assert tiles[2].headers["cache-control"] == "no-store"
    lines = (tiles[0].text + tiles[1].text).split("\n")[:-1]
    assert [json.loads(line)["s"] for line in lines] == list(range(1, 512))
    checkpoint, rest = split((await site.http.get("/revocations/tail")).text)
    assert (await checked(site, checkpoint))["h"] == chain(log, [*lines, *rest])


async def test_a_tile_out_of_the_database_is_the_same_as_one_out_of_memory(site: Site) -> None:
    await revoke_many(site, 260)
    tiles, log = site.services.tiles, (await site.services.log_store.head()).log
    from_memory, from_store = tiles._from_memory(log, 0), await tiles._from_store(log, 0)
    assert from_memory is not None
    assert from_memory == from_store


@pytest.mark.parametrize("path", ["tiles/00", "tiles/-1", "tiles/x", "tiles/9", "snapshots/5", "snapshots/01"])
async def test_what_is_not_there_is_404(site: Site, path: str) -> None:
    log = (await site.services.log_store.head()).log
    assert (await site.http.get(f"/revocations/{log}/{path}")).status_code == 404


@pytest.mark.parametrize("log", ["%00", "0123456789abcdeg", "0123456789ABCDEF", "x" * 3000, "%F0%9F%98%80"])
@pytest.mark.parametrize("what", ["tiles/0", "snapshots/1"])
async def test_what_cannot_be_the_id_of_a_log_is_404(site: Site, log: str, what: str) -> None:
    """PostgreSQL takes no text with a NUL in it."""
    assert (await site.http.get(f"/revocations/{log}/{what}")).status_code == 404


async def test_another_log_has_no_tiles(site: Site) -> None:
    await revoke_many(site, 257)
    assert (await site.http.get("/revocations/fedcba9876543210/tiles/0")).status_code == 404


async def test_a_snapshot_is_what_its_checkpoint_says(site: Site) -> None:
    await revoke_many(site, 1030)
    claims: dict[str, Any] = {}

    async def is_there() -> bool:
        claims.update(await checked(site, split((await site.http.get("/revocations/tail")).text)[0]))
        return "snap" in claims

    await until(is_there, 20)
    snap = claims["snap"]
    response = await site.http.get(f"/revocations/{claims['log']}/snapshots/{snap['seq']}")
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"] == "application/x-ndjson"
    digest = base64.urlsafe_b64encode(hashlib.sha256(response.content).digest()).decode().rstrip("=")
    assert digest == snap["sha256"]
    head, *lines = response.text.split("\n")[:-1]
    assert json.loads(head) == {
        "log": claims["log"], "seq": snap["seq"], "h": snap["h"], "entries": len(lines),
    }  # fmt: skip
    assert [json.loads(line)["s"] for line in lines] == list(range(1, snap["seq"] + 1))
    assert chain(claims["log"], lines) == snap["h"]
    head_only = await site.http.head(f"/revocations/{claims['log']}/snapshots/{snap['seq']}")
    assert (head_only.status_code, head_only.headers["content-length"]) == (200, str(len(response.content)))
