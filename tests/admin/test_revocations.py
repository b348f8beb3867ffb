"""POST and GET /admin/revocations; what each level ends is in tests/attacks/test_revocation_levels.py."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.site import Site, claims_of

SOMEBODY = "01890000-0000-7000-8000-000000000000"


async def revoke(site: Site, admin: dict[str, str], query: str = "", **body: object) -> httpx.Response:
    return await site.http.post(f"/admin/revocations{query}", json=body, headers=admin)


async def test_an_answer_says_what_ended_and_where_it_stands(site: Site, admin: dict[str, str]) -> None:
    user = await site.user()
    for _ in range(2):
        await site.log_in(user, await site.app())
    await site.log_in(user, await site.app(), mode="session")
    response = await revoke(site, admin, user_id=user.id, reason="laptop stolen")
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"sequence", "sessions", "families", "dry_run"}
    # A browser session has a family too: the tokens that forward-auth hands on belong to it.
    assert (body["sessions"], body["families"], body["dry_run"]) == (3, 3, False)
    assert response.headers["revocation-seq"] == str(body["sequence"])


@pytest.mark.parametrize("level", ["token", "refresh", "jti", "family_id", "session_id", "user_id", "client_id", "all"])
async def test_a_dry_run_says_the_same_and_changes_nothing(site: Site, admin: dict[str, str], level: str) -> None:
    login = await site.log_in(await site.user(), await site.app())
    body = await body_of(site, admin, login, level)
    before = await site.audit_types(admin)
    dry = await revoke(site, admin, "?dry_run=true", **body)
    assert dry.status_code == 200
    assert "revocation-seq" not in dry.headers
    assert dry.json()["sequence"] is None
    assert dry.json()["dry_run"] is True
    assert await site.audit_types(admin) == before
    assert await site.active(login.tokens["access_token"])
    real = (await revoke(site, admin, **body)).json()
    assert (real["sessions"], real["families"]) == (dry.json()["sessions"], dry.json()["families"])


async def body_of(site: Site, admin: dict[str, str], login: Any, level: str) -> dict[str, object]:
    listed = (await site.http.get(f"/admin/sessions?user_id={login.user.id}", headers=admin)).json()["items"]
    return {
        "token": {"token": login.tokens["access_token"]},
        "refresh": {"token": login.tokens["refresh_token"]},
        "jti": {"jti": login.claims["jti"], "expires_at": login.claims["exp"]},
        "family_id": {"family_id": login.claims["sid"]},
        "session_id": {"session_id": listed[0]["session_id"]},
        "user_id": {"user_id": login.user.id},
        "client_id": {"client_id": login.client.id},
        "all": {"all": True},
    }[level]


@pytest.mark.parametrize("level", ["token", "refresh", "jti", "family_id", "session_id"])
async def test_a_second_revocation_is_200_and_writes_nothing(site: Site, admin: dict[str, str], level: str) -> None:
    login = await site.log_in(await site.user(), await site.app())
    body = await body_of(site, admin, login, level)
    first = await revoke(site, admin, **body)
    assert "revocation-seq" in first.headers
    second = await revoke(site, admin, **body)
    assert second.status_code == 200
    assert "revocation-seq" not in second.headers
    assert second.json() == {"sequence": None, "sessions": 0, "families": 0, "dry_run": False}
    listed = (await site.http.get("/admin/revocations", headers=admin)).json()["items"]
    assert len(listed) == 1


@pytest.mark.parametrize("level", ["user_id", "client_id"])
async def test_a_second_revocation_of_many_ends_only_what_began_since(
    site: Site, admin: dict[str, str], level: str
) -> None:
    login = await site.log_in(await site.user(), await site.app())
    body = await body_of(site, admin, login, level)
    assert (await revoke(site, admin, **body)).json()["families"] == 1
    assert (await revoke(site, admin, **body)).json()["families"] == 0
    later = await site.log_in(login.user, login.client)
    assert (await revoke(site, admin, **body)).json()["families"] == 1
    assert not await site.active(later.tokens["access_token"])


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": SOMEBODY},
        {"session_id": SOMEBODY},
        {"family_id": SOMEBODY},
        {"client_id": "nobody"},
        {"kid": "no-such-key"},
        {"token": "not a token"},
        {"token": "a.b.c"},
        {"token": "x" * 200},
    ],
)
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_an_unknown_target_is_404(site: Site, admin: dict[str, str], body: dict[str, object], query: str) -> None:
    response = await revoke(site, admin, query, **body)
    assert response.status_code == 404
    assert response.json()["error"] == "not_found"
    assert (await site.http.get("/admin/revocations", headers=admin)).json()["items"] == []


async def test_a_token_of_another_issuer_is_404(site: Site, admin: dict[str, str]) -> None:
    login = await site.log_in(await site.user(), await site.app())
    header, payload, signature = login.tokens["access_token"].split(".")
    forged = f"{header}.{payload}.{signature[:-4]}AAAA"
    assert (await revoke(site, admin, token=forged)).status_code == 404
    assert await site.active(login.tokens["access_token"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user_id": "x"}, "user_id"),
        ({"all": False}, "all"),
        ({"client_id": ["a"]}, "client_id"),
        ({"jti": "j", "expires_at": 1}, "expires_at"),
        ({"user_id": SOMEBODY, "reason": "x" * 201}, "reason"),
        ({"user_id": SOMEBODY, "why": "x"}, "why"),
    ],
)
async def test_a_bad_field_is_named(site: Site, admin: dict[str, str], body: dict[str, object], field: str) -> None:
    response = await revoke(site, admin, **body)
    assert response.status_code == 400
    assert response.json()["field"] == field


async def test_bad_bodies_and_queries_are_refused(site: Site, admin: dict[str, str]) -> None:
    async def status(content: bytes, query: str = "", kind: str = "application/json") -> int:
        headers = {**admin, "Content-Type": kind}
        return (await site.http.post(f"/admin/revocations{query}", content=content, headers=headers)).status_code

    assert await status(b'{"all":true}', "?dry_run=maybe") == 400
    assert await status(b'{"all":true}', "?dry-run=true") == 400
    assert await status(b'{"all":true}', "?dry_run=true&dry_run=false") == 400
    assert await status(b'{"all":true,"all":true}') == 400
    assert await status(b'{"all":NaN}') == 400
    assert await status(b'{"jti":"a\\u0000b"}') == 400
    assert await status(b"[]") == 400
    assert await status(b"") == 400
    assert await status(b"all=true", kind="application/x-www-form-urlencoded") == 415
    assert await status(b'{"jti":"' + b"x" * 70_000 + b'"}') == 413
    assert (await site.http.get("/admin/revocations", headers=admin)).json()["items"] == []


async def test_past_revocations_are_listed_and_filtered(site: Site, admin: dict[str, str]) -> None:
    user, app = await site.user(), await site.app()
    login = await site.log_in(user, app)
    await revoke(site, admin, jti=login.claims["jti"], reason="one")
    await revoke(site, admin, user_id=user.id, reason="two")
    await revoke(site, admin, client_id=app.id)
    await site.http.patch(f"/admin/users/{user.id}", json={"enabled": False}, headers=admin)

    async def listed(query: str = "") -> list[dict[str, Any]]:
        response = await site.http.get(f"/admin/revocations{query}", headers=admin)
        assert response.status_code == 200, response.text
        return list(response.json()["items"])

    kinds = [(entry["kind"], entry.get("reason")) for entry in await listed()]
    assert kinds == [("client", None), ("user", "two"), ("jti", "one")]
    (entry,) = await listed(f"?user_id={user.id}&kind=user")
    assert entry["actor"] == "client:client-1"
    assert [e["jti"] for e in await listed("?kind=jti")] == [login.claims["jti"]]
    assert len(await listed("?actor=client:client-1&limit=2")) == 2
    assert await listed("?since=4102444800") == []
    assert await listed("?until=2020-01-01T00:00:00Z") == []
    first = (await site.http.get("/admin/revocations?limit=2", headers=admin)).json()
    rest = await listed(f"?limit=2&cursor={first['next_cursor']}")
    assert [e["kind"] for e in (*first["items"], *rest)] == ["client", "user", "jti"]


async def test_a_log_out_is_no_entry_of_the_list(site: Site, admin: dict[str, str]) -> None:
    login = await site.log_in(await site.user(), await site.app())
    assert (await site.http.post("/logout", headers=login.bearer)).status_code == 204
    assert (await site.http.get("/admin/revocations", headers=admin)).json()["items"] == []


@pytest.mark.parametrize("level", ["refresh", "family_id", "session_id"])
async def test_the_event_is_found_by_user_by_client_and_by_session(
    site: Site, admin: dict[str, str], level: str
) -> None:
    login = await site.log_in(await site.user(), await site.app())
    session = str((await body_of(site, admin, login, "session_id"))["session_id"])
    await revoke(site, admin, **await body_of(site, admin, login, level))
    (known,) = (await site.http.get("/admin/audit?limit=1", headers=admin)).json()["items"]
    assert known["type"] in ("family.revoked", "session.revoked")
    for query in (f"user_id={login.user.id}", f"client_id={login.client.id}", f"session_id={session}"):
        found = (await site.http.get(f"/admin/audit?limit=1&{query}", headers=admin)).json()["items"]
        assert found == [known]


async def test_a_token_never_reaches_the_audit_log(site: Site, admin: dict[str, str]) -> None:
    login = await site.log_in(await site.user(), await site.app())
    for token in (login.tokens["access_token"], login.tokens["refresh_token"]):
        await revoke(site, admin, token=token, reason="found in a chat")
        assert token not in (await site.http.get("/admin/audit", headers=admin)).text
        assert token not in (await site.http.get("/admin/revocations", headers=admin)).text


async def test_the_key_that_signs_is_replaced_when_it_is_revoked(site: Site, admin: dict[str, str]) -> None:
    other = await site.client(scopes=("admin",))
    (key,) = (await site.http.get("/admin/keys", headers=admin)).json()["items"]
    dry = await revoke(site, admin, "?dry_run=true", kid=key["kid"])
    assert dry.status_code == 200
    response = await revoke(site, admin, kid=key["kid"], reason="leaked")
    assert response.status_code == 200
    assert int(response.headers["revocation-seq"]) == response.json()["sequence"]
    fresh = await site.own_token(other)
    headers = {"Authorization": f"Bearer {fresh['access_token']}"}
    (entry,) = (await site.http.get("/admin/revocations", headers=headers)).json()["items"]
    assert (entry["kind"], entry["kid"], entry["reason"]) == ("kid", key["kid"], "leaked")
    second = await revoke(site, headers, kid=key["kid"])
    assert second.status_code == 200
    assert second.json()["sequence"] is None
    assert claims_of(fresh["access_token"])["iss"]
