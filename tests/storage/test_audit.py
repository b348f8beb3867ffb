"""AuditStore."""

from __future__ import annotations

from authserver.model.page import PageRequest
from authserver.storage.interface import AuditFilter
from tests.conftest import Stores
from tests.storage.builders import NOW, an_event


async def test_an_event_comes_back_as_it_was_written(stores: Stores) -> None:
    event = an_event(
        address="192.0.2.1",
        request_id="r1",
        user_id="u",
        client_id="c",
        session_id="s",
        detail={"reason": "Prüfung", "count": 3, "nested": {"list": [1, None]}},
    )
    await stores.audit.append(event)
    assert (await stores.audit.list(PageRequest(), AuditFilter())).items == (event,)


async def test_events_are_newest_first_in_pages(stores: Stores) -> None:
    events = [an_event() for _ in range(5)]
    for event in events:
        await stores.audit.append(event)
    first = await stores.audit.list(PageRequest(limit=3), AuditFilter())
    rest = await stores.audit.list(PageRequest(limit=3, after=first.next_after), AuditFilter())
    assert [*first.items, *rest.items] == events[::-1]
    assert rest.next_after is None


async def test_every_filter_narrows(stores: Stores) -> None:
    wanted = an_event(type="t", actor="user:1", user_id="u", client_id="c", session_id="s", at=NOW + 5)
    for event in (wanted, an_event(at=NOW), an_event(at=NOW + 9)):
        await stores.audit.append(event)
    for where in (
        AuditFilter(type="t"),
        AuditFilter(actor="user:1"),
        AuditFilter(user_id="u"),
        AuditFilter(client_id="c"),
        AuditFilter(session_id="s"),
        AuditFilter(since=NOW + 5, until=NOW + 9),
    ):
        assert (await stores.audit.list(PageRequest(), where)).items == (wanted,)
    assert (await stores.audit.list(PageRequest(), AuditFilter(type="t", user_id="other"))).items == ()
