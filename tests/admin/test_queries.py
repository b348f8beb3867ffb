"""Filters, limits and cursors."""

from __future__ import annotations

import pytest

from authserver.web.query import cursor
from tests.site import Site

SOMEBODY = "01890000-0000-7000-8000-000000000000"
LISTS = ("/admin/users", "/admin/clients", "/admin/sessions", "/admin/revocations", "/admin/audit", "/admin/keys")
BAD_FOR_ALL = [
    ("limit=0", "limit"),
    ("limit=201", "limit"),
    ("limit=-1", "limit"),
    ("limit=1e2", "limit"),
    ("limit=", "limit"),
    ("limit=%D9%A1", "limit"),
    ("limit=99999999999999999999999", "limit"),
    ("limit=10&limit=20", "limit"),
    ("cursor=", "cursor"),
    ("cursor=abc", "cursor"),
    ("cursor=%00", "cursor"),
    ("cursor=%27%20OR%201=1--", "cursor"),
    ("cursor=" + "A" * 700, "cursor"),
    ("cursor=%C3%A9", "cursor"),
    (f"cursor={cursor('elsewhere', SOMEBODY)}", "cursor"),
    ("sort=password_hash", "sort"),
    ("offset=5", "offset"),
    ("%00=1", "?"),
]
BAD_FOR_ONE = [
    ("/admin/users", "query=%00", "query"),
    ("/admin/users", "query=%25", "query"),
    ("/admin/users", "query=a%25b", "query"),
    ("/admin/users", "query=", "query"),
    ("/admin/users", "query=" + "x" * 201, "query"),
    ("/admin/users", "enabled=yes", "enabled"),
    ("/admin/clients", "query=%0a", "query"),
    ("/admin/clients", "enabled=true", "enabled"),
    ("/admin/sessions", "user_id=1", "user_id"),
    ("/admin/sessions", "user_id=%25", "user_id"),
    ("/admin/sessions", f"user_id={SOMEBODY}%00", "user_id"),
    ("/admin/sessions", "client_id=a%00b", "client_id"),
    ("/admin/sessions", "include_dead=1", "include_dead"),
    ("/admin/revocations", "kind=users", "kind"),
    ("/admin/revocations", "since=yesterday", "since"),
    ("/admin/audit", "type=%25", "type"),
    ("/admin/audit", "type=user.created%00", "type"),
    ("/admin/audit", "since=2026-01-01", "since"),
    ("/admin/audit", "since=2026-01-01T00:00:00", "since"),
    ("/admin/audit", "until=99999999999999", "until"),
    ("/admin/audit", "until=-5", "until"),
    ("/admin/audit", "session_id=x", "session_id"),
    ("/admin/audit", "actor=%00", "actor"),
    ("/admin/keys", "state=active", "state"),
]


@pytest.mark.parametrize("path", LISTS)
async def test_a_bad_parameter_is_refused_by_name(site: Site, admin: dict[str, str], path: str) -> None:
    name = path.removeprefix("/admin/")
    special = [(f"cursor={cursor(name, 'a' + chr(0))}", "cursor")] + [
        (query, field) for at, query, field in BAD_FOR_ONE if at == path
    ]
    for query, field in (*BAD_FOR_ALL, *special):
        response = await site.http.get(f"{path}?{query}", headers=admin)
        assert response.status_code == 400, query
        assert response.json()["error"] == "invalid_request", query
        assert response.json()["field"] == field, query


async def test_a_parameter_where_there_are_none_is_refused_in_a_whole_sentence(
    site: Site, admin: dict[str, str]
) -> None:
    (key,) = (await site.http.get("/admin/keys?limit=2", headers=admin)).json()["items"]
    assert key["state"] == "active"
    for path, known in (("/admin/keys", "; known are: cursor, limit"), ("/admin/revocations", "; known are: dry_run")):
        method = "GET" if path == "/admin/keys" else "POST"
        response = await site.http.request(method, f"{path}?kid=1", headers=admin)
        assert response.json()["error_description"] == f"kid is not a parameter here{known}"


async def test_pages_cover_a_list_once_and_in_order_while_it_grows(site: Site, admin: dict[str, str]) -> None:
    made = [(await site.user(f"person-{number}")).id for number in range(7)]
    seen: list[str] = []
    next_cursor: str | None = None
    while True:
        query = "limit=3" + (f"&cursor={next_cursor}" if next_cursor else "")
        body = (await site.http.get(f"/admin/users?{query}", headers=admin)).json()
        assert len(body["items"]) <= 3
        seen += [user["user_id"] for user in body["items"]]
        next_cursor = body["next_cursor"]
        if next_cursor is None:
            break
        if len(seen) == 3:
            made.append((await site.user("latecomer")).id)
    assert seen == made


async def test_pages_of_the_audit_log_run_from_new_to_old(site: Site, admin: dict[str, str]) -> None:
    for number in range(5):
        await site.user(f"person-{number}")
    first = (await site.http.get("/admin/audit?type=user.created&limit=3", headers=admin)).json()
    rest = (
        await site.http.get(f"/admin/audit?type=user.created&limit=3&cursor={first['next_cursor']}", headers=admin)
    ).json()
    ids = [event["id"] for event in (*first["items"], *rest["items"])]
    assert len(ids) == 5
    assert ids == sorted(ids, reverse=True)
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(("query", "found"), [("_", ["a_b"]), ("A_", ["a_b"]), ("axb", ["axb"]), ("\\", []), ("'", [])])
async def test_a_search_takes_every_character_as_it_stands(
    site: Site, admin: dict[str, str], query: str, found: list[str]
) -> None:
    for name in ("a_b", "axb"):
        await site.user(name)
    response = await site.http.get("/admin/users", params={"query": query}, headers=admin)
    assert [user["username"] for user in response.json()["items"]] == found
