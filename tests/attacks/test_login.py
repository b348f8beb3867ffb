"""Attacks on log-in; each test is a line of the list of attacks."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from pathlib import Path

import pytest

from authserver import telemetry
from authserver.model.audit import SYSTEM
from authserver.model.time import HOUR
from authserver.storage.local import LocalCache
from authserver.web.cookies import DEVICE
from tests import people
from tests.people import ELSEWHERE, HERE, Browser, pass_time
from tests.site import PASSWORD, Party, Site, claims_of, make_keys_dir, open_site

site = people.site
two_nodes = people.two_nodes


@pytest.mark.real_argon2
async def test_unknown_and_known_user_get_the_same_answer_in_the_same_time(site: Site) -> None:
    """CPU time of the process and not of the clock on the wall: other programs must not decide this test."""
    app = await site.app()
    known = [(await site.user()).username for _ in range(4)]
    spent: dict[str, list[float]] = {"known": [], "unknown": []}
    answers: dict[str, set[tuple[object, ...]]] = {"known": set(), "unknown": set()}
    for number in range(20):
        for kind, name in (("known", known[number % 4]), ("unknown", f"nobody-{number % 4}")):
            started = time.process_time()
            response = await Browser(site).log_in(name, app, "wrong", mode="token")
            spent[kind].append(time.process_time() - started)
            shown = {k: v for k, v in response.headers.items() if k != "x-request-id"}
            answers[kind].add((response.status_code, response.text, tuple(sorted(shown))))
    assert answers["known"] == answers["unknown"]
    assert len(answers["known"]) == 1
    ratios = [unknown / known for unknown, known in zip(spent["unknown"], spent["known"], strict=True)]
    assert statistics.median(ratios) == pytest.approx(1.0, abs=0.15)
    assert statistics.median(spent["unknown"]) > 0.005  # the dummy was hashed


async def test_a_throttled_unknown_user_looks_like_a_throttled_known_one(site: Site) -> None:
    app, user = await site.app(), await site.user()
    refusals = []
    for name in (user.username, "nobody"):
        attempts = [await Browser(site).log_in(name, app, "wrong", mode="token") for _ in range(11)]
        assert [answer.status_code for answer in attempts] == [401] * 10 + [429]
        refusals.append(attempts[-1])
    assert refusals[0].text == refusals[1].text
    waits = [int(refusal.headers["retry-after"]) for refusal in refusals]
    assert abs(waits[0] - waits[1]) <= 5  # seconds that went by between attempts


async def test_many_passwords_on_one_account_are_throttled_and_its_owner_is_not_locked_out(site: Site) -> None:
    app, user = await site.app(), await site.user()
    laptop, office = Browser(site, address=HERE), Browser(site, address="192.0.2.200")
    await laptop.log_in(user.username, app)
    await office.log_in(user.username, app)
    statuses = [
        (await Browser(site, address=f"198.51.100.{n % 200}").log_in(user.username, app, f"guess-{n}")).status_code
        for n in range(1000)
    ]
    assert statuses.count(401) <= 10 + 1000 // 60
    assert statuses.count(429) == 1000 - statuses.count(401)
    device_elsewhere = Browser(site, address="203.0.113.1")
    device_elsewhere.cookies = {"__Host-authserver-device": laptop.cookies["__Host-authserver-device"]}
    assert (await device_elsewhere.log_in(user.username, app)).status_code == 200
    assert (await Browser(site, address="192.0.2.200").log_in(user.username, app)).status_code == 200
    stranger = await Browser(site, address="203.0.113.2").log_in(user.username, app)
    assert (stranger.status_code, stranger.json()["error"]) == (429, "too_many_requests")
    assert 1 <= int(stranger.headers["retry-after"]) <= 60


async def test_the_right_password_is_no_way_around_the_throttle(site: Site) -> None:
    app, user = await site.app(), await site.user()
    for _ in range(10):
        await Browser(site).log_in(user.username, app, "wrong")
    response = await Browser(site).log_in(user.username, app, PASSWORD)
    assert response.status_code == 429


async def test_one_password_on_many_accounts_is_throttled_and_others_are_not(sqlite_url: str, tmp_path: Path) -> None:
    async with open_site(sqlite_url, make_keys_dir(tmp_path), login_address_limit=20) as site:
        app, user = await site.app(), await site.user()
        owner, sprayer = Browser(site, address=ELSEWHERE), Browser(site, address=ELSEWHERE)
        await owner.log_in(user.username, app)
        statuses = [(await sprayer.log_in(f"account-{n}", app, "Summer2026!")).status_code for n in range(500)]
        assert statuses == [401] * 20 + [429] * 480
        assert (await Browser(site, address=HERE).log_in(user.username, app)).status_code == 200
        assert (await owner.log_in(user.username, app)).status_code == 200  # same address, known device


async def test_one_password_on_many_accounts_at_the_same_time_is_throttled_as_well(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with open_site(sqlite_url, make_keys_dir(tmp_path), login_address_limit=5) as site:
        app = await site.app()
        sent = (Browser(site, address=ELSEWHERE).log_in(f"account-{n}", app, "Summer2026!") for n in range(60))
        statuses = [answer.status_code for answer in await asyncio.gather(*sent)]
        assert (statuses.count(401), statuses.count(429)) == (5, 55)


async def test_a_hundred_people_behind_one_address_log_in_at_the_same_time(sqlite_url: str, tmp_path: Path) -> None:
    async with open_site(sqlite_url, make_keys_dir(tmp_path), login_address_limit=5) as site:
        app, users = await site.app(), [await site.user() for _ in range(100)]
        sent = (Browser(site, address=ELSEWHERE).log_in(user.username, app) for user in users)
        assert {answer.status_code for answer in await asyncio.gather(*sent)} == {200}


async def test_collected_device_cookies_give_no_more_guesses_and_none_after_a_new_password(
    sqlite_url: str, tmp_path: Path
) -> None:
    limits = {"login_known_burst": 3, "login_account_burst": 3}
    async with open_site(sqlite_url, make_keys_dir(tmp_path), **limits) as site:
        app, user = await site.app(), await site.user()
        devices = [Browser(site, address=f"192.0.2.{n}") for n in range(10)]
        for device in devices:
            await device.log_in(user.username, app)
        assert await _guesses(site, user.username, app, devices) == 3 + 3
        pass_time(site, HOUR)
        await site.services.directory.set_password(user.id, "an entirely new one 77", caller=SYSTEM)
        assert await _guesses(site, user.username, app, devices) == 3


async def _guesses(site: Site, username: str, app: Party, devices: list[Browser]) -> int:
    """How many with these cookies, from one address that nobody knows, are looked at."""
    statuses = []
    for device in devices:
        thief = Browser(site, address="203.0.113.9")
        for _ in range(5):
            thief.cookies = {DEVICE: device.cookies[DEVICE]}
            statuses.append((await thief.log_in(username, app, "guess")).status_code)
    return statuses.count(401)


async def test_the_throttle_holds_on_all_nodes_and_over_a_flushed_cache(two_nodes: Site) -> None:
    site = two_nodes
    app, user = await site.app(), await site.user()
    for number in range(10):
        await Browser(site, on=number % 2).log_in(user.username, app, "wrong")
    for instance in site.instances:
        assert isinstance(instance.services.cache, LocalCache)
        instance.services.cache._entries.clear()
    for node in (0, 1):
        assert (await Browser(site, on=node).log_in(user.username, app, PASSWORD)).status_code == 429


async def test_case_unicode_and_spaces_are_no_way_around_the_throttle(site: Site) -> None:
    app = await site.app()
    await site.user("Ren\u00e9e Stra\u00dfe")
    spellings = [
        "Ren\u00e9e Stra\u00dfe", "rene\u0301e strasse", "REN\u00c9E STRASSE", "  ren\u00e9e   strasse ",
        "\uff32\uff25\uff2e\u00c9\uff25 \uff33\uff34\uff32\uff21\uff33\uff33\uff25", "Ren\u00e9e\u00a0Stra\u1e9ee",
        "ren\u00e9e\u2003stra\u017f\u017fe", "ren\u00c9e strasse", "\tren\u00e9e strasse", "Ren\u00e9e STRA\u00dfE",
        "ren\u00e9e strasse",
    ]  # fmt: skip
    statuses = [(await Browser(site).log_in(name, app, "wrong")).status_code for name in spellings]
    assert statuses == [401] * 10 + [429]


@pytest.mark.real_argon2
async def test_five_hundred_parallel_log_ins_are_bounded_and_leave_token_requests_alone(site: Site) -> None:
    program = await site.client(scopes=("jobs",))
    app = await site.app()
    passwords, gate = site.services.passwords, threading.Event()
    quiet = statistics.median(await _token_latencies(site, program, 100))
    passwords._pool.submit(gate.wait)  # the first one hashes when all are there
    flood = [
        asyncio.create_task(Browser(site, address=f"10.0.{n // 250}.{n % 250}").log_in(f"user-{n}", app, "wrong"))
        for n in range(500)
    ]
    while passwords.pending < 500:  # noqa: ASYNC110 - polled from outside, where a user of it stands
        await asyncio.sleep(0.01)
    gate.set()
    spent = []
    while passwords.pending > 480:
        spent += await _token_latencies(site, program, 10)
    busy = statistics.median(spent)
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
    # Medians: a single request may meet another program's work.
    assert busy < 3 * quiet + 0.02, f"median {busy * 1000:.1f} ms, without the flood {quiet * 1000:.1f} ms"


async def test_log_ins_beyond_the_queue_are_503_at_once_and_cost_nobody_an_attempt(site: Site) -> None:
    app, user = await site.app(), await site.user()
    passwords, gate = site.services.passwords, threading.Event()
    passwords._limit = 1
    passwords._pool.submit(gate.wait)  # the first one hashes when the others are refused
    sent = [asyncio.create_task(Browser(site).log_in(user.username, app)) for _ in range(6)]
    while sum(task.done() for task in sent) < 5:  # noqa: ASYNC110 - there is nothing to wait on
        await asyncio.sleep(0.01)
    gate.set()
    answers = await asyncio.gather(*sent)
    assert sorted({answer.status_code for answer in answers}) == [200, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert (refused.json()["error"], refused.headers["retry-after"]) == ("temporarily_unavailable", "2")
    passwords._limit = 100
    wrong = [(await Browser(site, address=ELSEWHERE).log_in(user.username, app, "x")).status_code for _ in range(11)]
    assert wrong == [401] * 10 + [429]


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "", "origin": "https://evil.example"},
        {"sec_fetch_site": "", "origin": "null"},
    ],
)
async def test_a_log_in_that_another_site_sends_is_refused(site: Site, headers: dict[str, str]) -> None:
    app, user, browser = await site.app(), await site.user(), Browser(site)
    body = {"username": user.username, "password": PASSWORD, "client_id": app.id, "mode": "session"}
    response = await browser.post("/login", json=body, **headers)
    assert (response.status_code, response.json()["error"]) == (403, "access_denied")
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_a_log_in_that_a_form_can_send_is_refused(site: Site, kind: str) -> None:
    app, user = await site.app(), await site.user()
    body = f'{{"username":"{user.username}","password":"{PASSWORD}","client_id":"{app.id}","mode":"session"}}'
    response = await site.http.post("/login", content=body, headers={"content-type": kind})
    assert response.status_code == 415
    assert "set-cookie" not in response.headers


async def test_the_own_origin_passes_under_either_name(site: Site) -> None:
    app, user = await site.app(), await site.user()
    for origin in ("http://127.0.0.1:8000", ""):
        response = await Browser(site).post(
            "/login",
            json={"username": user.username, "password": PASSWORD, "client_id": app.id},
            sec_fetch_site="",
            origin=origin,
        )
        assert response.status_code == 200


@pytest.mark.parametrize(
    "weak", ["Password1", "qwertyuiop", "12345678", "P@ssw0rd!", "authserver1", "carla-97", "short"]
)
async def test_breached_common_and_context_words_are_refused_as_new_passwords(site: Site, weak: str) -> None:
    response = await site.http.post(
        "/admin/users", json={"username": "carla", "password": weak}, headers=await site.admin()
    )
    assert (response.status_code, response.json()["error"]) == (400, "weak_password")


@pytest.mark.parametrize(
    "good",
    [
        "purple elephants dance slowly",
        "\u96e8\u306e\u4e2d\u3092\u6b69\u304f\u732b\u305f\u3061",
        "x7kq-02mz-ppel",
        "7" * 3 + "wonderful lamps" * 20,
    ],
)
async def test_there_are_no_composition_rules(site: Site, good: str) -> None:
    created = await site.http.post(
        "/admin/users", json={"username": "carla", "password": good}, headers=await site.admin()
    )
    assert created.status_code == 201, created.text
    assert (await Browser(site).log_in("carla", await site.app(), good)).status_code == 200


async def test_no_access_token_outlives_the_absolute_end_of_its_log_in(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app())
    begun = login.claims["auth_time"]
    for _ in range(60):
        pass_time(site, 12 * HOUR + 1000)
        if (await site.refresh(login)).status_code != 200:
            break
        assert login.claims["exp"] <= begun + 30 * 24 * 3600 + 1
    assert (await site.refresh(login)).status_code == 400


async def test_nothing_of_a_log_in_reaches_the_logs(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    telemetry.set_up_logging("json", "DEBUG")
    app, user, browser = await site.app(), await site.user(), Browser(site)
    await browser.log_in(user.username, app)
    await browser.log_in(user.username, app, "a wrong but secret guess")
    await browser.log_in("typed my s3cret here", app, "x")
    login = await site.log_in(user, app)
    await browser.get("/forward-auth")
    await browser.post("/logout", x_csrf_token="not-this-one")
    written = "".join(capfd.readouterr())
    assert "refused" in written
    for secret in (
        PASSWORD,
        "a wrong but secret guess",
        "typed my s3cret here",
        browser.csrf_token,
        *browser.cookies.values(),
        *login.tokens["access_token"].split(".")[1:],
        login.tokens["refresh_token"],
    ):
        assert secret not in written


async def test_wrong_log_ins_are_answered_while_the_database_is_gone_with_503_and_no_verdict(site: Site) -> None:
    app, user = await site.app(), await site.user()
    for resource in reversed(site.services.resources[:1]):
        await resource.close()
    for password in (PASSWORD, "wrong"):
        response = await Browser(site).log_in(user.username, app, password)
        assert response.status_code == 503
        assert response.headers["retry-after"]


async def _token_latencies(site: Site, program: Party, count: int) -> list[float]:
    """Seconds that each of `count` token requests took, one after the other."""
    spent = []
    for _ in range(count):
        started = time.perf_counter()
        await asyncio.sleep(0)  # a request comes in through the loop, which answers it without waiting for anything
        tokens = await site.own_token(program)
        spent.append(time.perf_counter() - started)
        assert claims_of(tokens["access_token"])["sub"] == program.id
    return spent
