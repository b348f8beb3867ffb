"""Clients are told of log-outs, whatever becomes of their receivers or of this server; nobody else waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import jwt
import pytest

from authserver.model.time import DAY, HOUR, MINUTE, SECOND, Duration
from authserver.oauth import logout_queue
from authserver.oauth.logout_queue import LEASE
from tests.faults.receivers import Receiver, receiving
from tests.openid import OpenIdLogIn, openid_client, openid_log_in
from tests.site import ISSUER, Party, Site, make_keys_dir, open_site

SETTINGS: dict[str, Any] = {"outgoing_allow_loopback": True, "outgoing_timeout": "400ms"}


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(sqlite_url, make_keys_dir(tmp_path), **SETTINGS) as opened:
        yield opened


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


async def listener(site: Site, uri: str, **fields: Any) -> Party:
    return await openid_client(site, backchannel_logout_uri=uri, **fields)


async def log_out(login: OpenIdLogIn) -> None:
    page = await login.browser.get(f"/end_session?id_token_hint={login.id_token}")
    assert page.title == "You are logged out"


def pass_time(site: Site, duration: Duration) -> None:
    for instance in site.instances:
        instance.services.now._anchor += duration
        instance.services.logout_queue.wake()


async def settled(site: Site, seconds: float = 5) -> None:
    """Until nothing is under way and the first attempt of everything is over."""
    deadline = monotonic() + seconds
    while any(delivery.last_problem is None for delivery in await waiting(site)):
        assert monotonic() < deadline
        await asyncio.sleep(0.01)
    await asyncio.gather(*(instance.services.logout_queue.settled() for instance in site.instances))


async def waiting(site: Site) -> list[Any]:
    """The rows of the deliveries that are to come."""
    from sqlalchemy import select

    from authserver.storage.sql.tables import logout_deliveries, logout_outbox

    database = site.services.logouts._db  # type: ignore[attr-defined]  # of the SQL store
    async with database.connection() as connection:
        if (await connection.execute(select(logout_outbox.c.id))).first() is not None:
            site.services.logout_queue.wake()
            await asyncio.sleep(0.05)
        return list((await connection.execute(select(logout_deliveries))).all())


async def emptied(site: Site, *, passing: Duration, seconds: float = 5) -> None:
    """Until nothing is left to be told, while so much time passes again and again."""
    deadline = monotonic() + seconds
    while await waiting(site):
        assert monotonic() < deadline
        pass_time(site, passing)
        await asyncio.sleep(0.1)
        await settled(site)


async def audited(site: Site, kind: str) -> list[dict[str, Any]]:
    headers = await site.admin()
    answer = await site.http.get(f"/admin/audit?type={kind}&limit=200", headers=headers)
    return list(answer.json()["items"])


# -- what is told -----------------------------------------------------------------------------


async def test_a_log_out_is_told_at_once_in_a_token_that_is_good(
    site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logout_queue, "POLL_SECONDS", 3600.0)  # it is told because it is woken
    site.services.logout_queue.wake()
    await asyncio.sleep(0.1)
    client = await listener(site, receiver.uri)
    login = await openid_log_in(site, client)
    await log_out(login)
    await receiver.got(1)
    (token,) = receiver.tokens
    keys = jwt.PyJWKSet.from_dict((await site.http.get("/.well-known/jwks.json")).json())
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"]) == ("logout+jwt", "RS256")
    claims = jwt.decode(token, keys[header["kid"]], algorithms=["RS256"], audience=client.id, issuer=ISSUER)
    assert set(claims) == {"iss", "aud", "iat", "exp", "jti", "sub", "sid", "events"}
    assert (claims["sub"], claims["sid"]) == (login.claims["sub"], login.claims["sid"])
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert claims["exp"] - claims["iat"] <= 120
    head = receiver.heads[0].lower()
    assert head.startswith("post /logout http/1.1\r\n")
    assert "content-type: application/x-www-form-urlencoded\r\n" in head
    await settled(site)
    (event,) = await audited(site, "logout.delivered")
    assert (event["client_id"], event["user_id"]) == (client.id, login.user.id)
    assert await site.services.logouts.waiting() == 0


async def test_each_client_of_the_session_is_told_of_its_own_log_in(site: Site, receiver: Receiver) -> None:
    one, two = await listener(site, receiver.uri), await listener(site, receiver.uri)
    first = await openid_log_in(site, one)
    second = await openid_log_in(site, two, first.user, first.browser)
    silent = await openid_log_in(site, None, first.user, first.browser)
    await log_out(first)
    await receiver.got(2)
    await settled(site)
    told = {(claims["aud"], claims["sid"]) for claims in receiver.claims}
    assert told == {(one.id, first.claims["sid"]), (two.id, second.claims["sid"])}
    assert silent.client.id not in {claims["aud"] for claims in receiver.claims}


async def test_whoever_ends_it_the_client_is_told(site: Site, receiver: Receiver) -> None:
    client, admin = await listener(site, receiver.uri), await site.admin()
    removed, disabled = await openid_log_in(site, client), await openid_log_in(site, client)
    await site.http.delete(f"/admin/users/{removed.user.id}", headers=admin)
    await site.http.patch(f"/admin/users/{disabled.user.id}", json={"enabled": False}, headers=admin)
    await receiver.got(2)
    assert {claims["sub"] for claims in receiver.claims} == {removed.user.id, disabled.user.id}


async def test_a_pairwise_client_is_told_by_the_name_that_it_knows(site: Site, receiver: Receiver) -> None:
    client = await listener(site, receiver.uri, subject_type="pairwise", access_token_format="opaque")
    login = await openid_log_in(site, client)
    await log_out(login)
    await receiver.got(1)
    assert receiver.claims[0]["sub"] == login.claims["sub"] != login.user.id


async def test_offline_access_is_told_of_its_log_in_and_goes_on(site: Site, receiver: Receiver) -> None:
    client = await listener(site, receiver.uri)
    login = await openid_log_in(site, client, scope="openid offline_access")
    await log_out(login)
    await receiver.got(1)
    await settled(site)
    assert [claims["sid"] for claims in receiver.claims] == [login.claims["sid"]]
    form = {"grant_type": "refresh_token", "refresh_token": login.tokens["refresh_token"]}
    assert (await site.http.post("/token", data=form, auth=client.auth)).status_code == 200


async def test_it_is_signed_as_the_clients_id_tokens_are(sqlite_url: str, tmp_path: Path, receiver: Receiver) -> None:
    settings = {**SETTINGS, "signing_algorithms": ("RS256", "ES256")}
    async with open_site(sqlite_url, make_keys_dir(tmp_path), **settings) as site:
        login = await openid_log_in(site, await listener(site, receiver.uri, id_token_signed_response_alg="ES256"))
        await log_out(login)
        await receiver.got(1)
    assert jwt.get_unverified_header(receiver.tokens[0])["alg"] == "ES256"


# -- receivers that do not do their part ------------------------------------------------------


async def test_a_receiver_that_is_down_hears_of_it_when_it_is_back(site: Site, receiver: Receiver) -> None:
    login = await openid_log_in(site, await listener(site, receiver.uri))
    await receiver.close()
    await log_out(login)
    await settled(site)
    (row,) = await waiting(site)
    assert row.last_problem == "cannot be connected to"
    await receiver.open()
    pass_time(site, 12 * SECOND)
    await receiver.got(1)
    await settled(site)
    assert receiver.claims[0]["sid"] == login.claims["sid"]
    assert await waiting(site) == []


@pytest.mark.parametrize("status", [500, 503, 404, 401, 202, 501])
async def test_any_other_answer_is_tried_again_with_the_same_jti(site: Site, receiver: Receiver, status: int) -> None:
    receiver.status = status
    await log_out(await openid_log_in(site, await listener(site, receiver.uri)))
    await receiver.got(1)
    await settled(site)
    (row,) = await waiting(site)
    assert row.last_problem == f"answers with status {status}"
    receiver.status = 204
    pass_time(site, 12 * SECOND)
    await receiver.got(2)
    await settled(site)
    first, second = receiver.claims
    assert first["jti"] == second["jti"]
    assert second["iat"] >= first["iat"] + 5
    assert await waiting(site) == []


async def test_attempts_become_rarer_and_end_after_a_day(site: Site, receiver: Receiver) -> None:
    receiver.status = 500
    await log_out(await openid_log_in(site, await listener(site, receiver.uri)))
    await receiver.got(1)
    waits: list[Duration] = []
    for attempt in range(2, 80):
        await settled(site)
        rows = await waiting(site)
        if not rows:
            break
        waits.append(rows[0].next_at - site.services.now())
        pass_time(site, max(0, waits[-1]) + SECOND)
        await receiver.got(attempt)
    assert max(waits[:3]) < MINUTE
    assert HOUR / 2 < max(waits) < 1.5 * HOUR
    assert 15 < len(waits) < 60
    assert 20 * HOUR < sum(waits) <= DAY
    (event,) = await audited(site, "logout.failed")
    assert event["detail"]["problem"] == "answers with status 500"


async def test_refused_twice_is_refused(site: Site, receiver: Receiver) -> None:
    receiver.status = 400
    await log_out(await openid_log_in(site, await listener(site, receiver.uri)))
    await receiver.got(1)
    await settled(site)
    assert len(await waiting(site)) == 1, "its copy of our keys may have been old"
    pass_time(site, 12 * SECOND)
    await receiver.got(2)
    await settled(site)
    assert await waiting(site) == []
    assert len(await audited(site, "logout.failed")) == 1


async def test_a_redirect_is_not_followed(site: Site, receiver: Receiver) -> None:
    async with receiving(status=307, headers=f"Location: {receiver.uri}\r\n") as redirecting:
        await log_out(await openid_log_in(site, await listener(site, redirecting.uri)))
        await redirecting.got(1)
        await settled(site)
    assert receiver.heads == []
    (row,) = await waiting(site)
    assert row.last_problem == "answers with a redirect"


@pytest.mark.parametrize(
    "uri",
    [
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:10.0.0.1]/",
        "http://192.0.2.1/",
        "file:///etc/passwd",
    ],
)
async def test_no_private_address_is_asked(site: Site, uri: str) -> None:
    await log_out(await openid_log_in(site, await listener(site, uri)))
    await settled(site)
    (row,) = await waiting(site)
    assert row.last_problem == ("has no usable host name" if "file" in uri else "is not on the public Internet")


async def test_this_machine_is_not_asked_unless_the_settings_say_so(
    sqlite_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with open_site(sqlite_url, make_keys_dir(tmp_path)) as site:
        for uri in (receiver.uri, receiver.uri.replace("http:", "https:"), f"https://localhost:{receiver.port}/"):
            await log_out(await openid_log_in(site, await listener(site, uri)))
        await settled(site)
        assert len(await waiting(site)) == 3
    assert receiver.heads == []


async def test_one_that_is_slow_keeps_nobody_waiting(sqlite_url: str, tmp_path: Path, receiver: Receiver) -> None:
    patient = {**SETTINGS, "outgoing_timeout": "30s"}
    async with (
        receiving(hold=asyncio.Event()) as slow,
        open_site(sqlite_url, make_keys_dir(tmp_path), **patient) as site,
    ):
        sluggish = await listener(site, slow.uri)
        logins = [await openid_log_in(site, sluggish) for _ in range(12)]
        quick = await openid_log_in(site, await listener(site, receiver.uri))
        await asyncio.gather(*(log_out(login) for login in logins))
        await slow.got(4)
        await log_out(quick)
        await receiver.got(1)
        assert (await openid_log_in(site)).tokens, "nor do log-ins"
        assert (slow.under_way, slow.most_at_once) == (4, 4)
        assert slow.hold is not None
        slow.hold.set()
        await slow.got(12)
        await settled(site)
        assert await waiting(site) == []
        assert slow.most_at_once == 4


async def test_one_that_does_not_answer_is_left_alone_for_a_while(site: Site) -> None:
    async with receiving(delay=60) as silent:
        client = await listener(site, silent.uri)
        logins = [await openid_log_in(site, client) for _ in range(12)]
        await asyncio.gather(*(log_out(login) for login in logins))
        await silent.got(1)
        await settled(site)
        assert len(silent.tokens) <= 8, "the others were put off when the first got no answer"
        assert len(await waiting(site)) == 12
        silent.delay = 0
        await emptied(site, passing=30 * SECOND)
        assert {claims["sid"] for claims in silent.claims} == {login.claims["sid"] for login in logins}


async def test_many_log_outs_of_one_client_go_through_in_one_go(site: Site, receiver: Receiver) -> None:
    client = await listener(site, receiver.uri)
    logins = [await openid_log_in(site, client) for _ in range(25)]
    await asyncio.gather(*(log_out(login) for login in logins))
    await receiver.got(25)
    await settled(site)
    assert receiver.most_at_once <= 4
    assert len(receiver.tokens) == 25


async def test_a_client_that_wants_to_know_no_more_is_told_no_more(site: Site, receiver: Receiver) -> None:
    client, admin = await listener(site, receiver.uri), await site.admin()
    await log_out(await openid_log_in(site, client))
    await receiver.got(1)
    receiver.status = 500
    await log_out(await openid_log_in(site, client))
    await receiver.got(2)
    await settled(site)
    assert (await site.http.delete(f"/admin/clients/{client.id}", headers=admin)).status_code == 204
    await emptied(site, passing=MINUTE)
    assert len(receiver.tokens) == 2


# -- this server does not do its part ---------------------------------------------------------


async def test_what_a_process_died_with_is_told_by_the_next(
    sqlite_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    keys, patient = make_keys_dir(tmp_path), {**SETTINGS, "outgoing_timeout": "30s"}
    async with receiving(delay=60) as hanging:
        async with open_site(sqlite_url, keys, **patient) as dying:
            client = await listener(dying, hanging.uri)
            login = await openid_log_in(dying, client)
            await log_out(login)
            await hanging.got(1)
        hanging.delay = 0
        async with open_site(sqlite_url, keys, **patient) as next_one:
            (row,) = await waiting(next_one)
            assert row.next_at > next_one.services.now(), "it is still the other's, as far as anybody can know"
            pass_time(next_one, LEASE + SECOND)
            await hanging.got(2)
            await settled(next_one)
            assert await waiting(next_one) == []
    first, second = hanging.claims
    assert (first["jti"], first["sid"]) == (second["jti"], second["sid"])


async def test_of_many_processes_one_tells_it(database_url: str, tmp_path: Path, receiver: Receiver) -> None:
    async with open_site(database_url, make_keys_dir(tmp_path), instances=3, **SETTINGS) as site:
        client = await listener(site, receiver.uri)
        logins = [await openid_log_in(site, client) for _ in range(15)]
        await asyncio.gather(*(log_out(login) for login in logins))
        for instance in site.instances:
            instance.services.logout_queue.wake()
        await receiver.got(15)
        await asyncio.sleep(0.3)
        await settled(site)
        jtis = [claims["jti"] for claims in receiver.claims]
        assert len(jtis) == len(set(jtis)) == 15
        assert await waiting(site) == []


async def test_a_server_that_is_not_ready_for_other_reasons_only(site: Site, receiver: Receiver) -> None:
    """What cannot be told is no reason to take a server out of service."""
    receiver.status = 500
    await log_out(await openid_log_in(site, await listener(site, receiver.uri)))
    await receiver.got(1)
    await settled(site)
    assert (await site.http.get("/readyz")).status_code == 200
    pass_time(site, 0)
    await asyncio.sleep(0.1)
    metrics = (await site.http.get("/metrics")).text
    assert 'authserver_logout_deliveries_total{result="put_off"}' in metrics
    assert "authserver_logouts_waiting 1.0" in metrics
