"""Tables that grow with use are never read from end to end: not by a request, not by a purge, not by a removal."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.storage.builders import NOW, a_device
from tests.storage.conftest import World

FOUND = [
    ("authorization_codes", "family_id = 'x'"),
    ("authorization_codes", "user_id = 'x'"),
    ("authorization_codes", "client_id = 'x' AND spent_at IS NULL"),
    ("authorization_codes", "client_id = 'x' AND user_id = 'y' AND spent_at IS NULL"),
    ("authorization_codes", "kept_until < 5"),
    ("pushed_requests", "expires_at < 5"),
    ("consents", "user_id = 'x'"),
    ("consents", "client_id = 'x'"),
    ("device_requests", "expires_at < 5"),
    ("used_once", "expires_at < 5"),
    ("reference_tokens", "expires_at < 5"),
    ("registrations", "used_at < 5 ORDER BY used_at LIMIT 5"),
    ("logout_deliveries", "next_at <= 5 ORDER BY next_at LIMIT 5"),
]


@pytest.mark.parametrize(("table", "where"), FOUND)
async def test_rows_are_found_by_an_index(world: World, table: str, where: str) -> None:
    statement = f"SELECT * FROM {table} WHERE {where}"
    async with world.database.connection() as connection:
        if world.database.dialect == "sqlite":
            plan = [row[-1] for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
            assert not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step], plan
        else:
            await connection.execute(text("SET enable_seqscan = off"))  # empty tables are read as a whole otherwise
            plan = list((await connection.execute(text(f"EXPLAIN {statement}"))).scalars())
            assert not [step for step in plan if "Seq Scan" in step or "Sort" in step], plan
            await connection.execute(text("RESET enable_seqscan"))


async def test_polls_touch_no_index(fresh_world: World) -> None:
    device = a_device(fresh_world.client)
    await fresh_world.stores.devices.add(device)
    for step in range(30):
        await fresh_world.stores.devices.poll(device.handle_hash, fresh_world.client.id, now=NOW + step)
    await fresh_world.sql("SELECT pg_stat_force_next_flush()")
    (updated,) = await fresh_world.sql(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'device_requests'"
    )
    assert updated.n_tup_upd == 30
    assert updated.n_tup_hot_upd >= 28  # one page holds so many versions of a row that it may overflow once
