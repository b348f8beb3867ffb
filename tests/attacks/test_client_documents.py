"""Attacks with clients whose id is a URL (Client ID Metadata Documents): what is fetched, what believed, how often."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest

from authserver import telemetry
from authserver.model.client import Client
from authserver.model.page import PageRequest
from authserver.model.time import DAY, HOUR, MINUTE, Duration
from authserver.oauth.pkce import challenge_of
from authserver.outgoing import Fetched
from authserver.registration.documents import ADDRESS_BURST, HOST_BURST, NEGATIVE, DocumentClients
from tests.browser import Browser, Page
from tests.browser_flow import Asker, log_in
from tests.oauth_server import SettableClock
from tests.signers import ASSERTION_TYPE, signer
from tests.site import ISSUER, Party, Site, make_keys_dir, open_site
from tests.strangers import Stranger, answer, stranger

CALLBACK = "https://app.example/cb"


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """URLs may be ids of clients, also of this machine."""
    options: dict[str, Any] = {"client_documents": "on", "outgoing_allow_loopback": True}
    async with open_site(sqlite_url, make_keys_dir(tmp_path), **options) as opened:
        yield opened


@pytest.fixture
async def host() -> AsyncIterator[Stranger]:
    """The server of a client."""
    async with stranger(answer(b"{}")) as one:
        yield one


def url_of(host: Stranger, path: str = "/client.json") -> str:
    return f"http://127.0.0.1:{host.port}{path}"


def document(named: str, /, **changes: Any) -> dict[str, Any]:
    """A good one, but for `changes`; None takes one away."""
    whole = {"client_id": named, "client_name": "The app", "redirect_uris": [CALLBACK], **changes}
    return {name: value for name, value in whole.items() if value is not None}


def says(host: Stranger, path: str = "/client.json", headers: dict[str, str] | None = None, **changes: Any) -> str:
    """Let it describe the client at `path`; its id."""
    client_id = url_of(host, path)
    host.script = answer(json.dumps(document(client_id, **changes)).encode(), **(headers or {}))
    return client_id


def lookup(site: Site) -> DocumentClients:
    found = site.services.client_auth.clients
    assert isinstance(found, DocumentClients)
    return found


class Later:
    """The server's time, from now on set by the test."""

    def __init__(self, site: Site) -> None:
        self.clock = SettableClock()
        self.clock.now = site.services.now()
        found = lookup(site)
        found.now = self.clock
        found.__post_init__()

    def passes(self, duration: Duration) -> None:
        self.clock.passes(duration)


async def known(site: Site, client_id: str) -> Client | None:
    return await lookup(site).get(client_id)


async def asks(site: Site, client_id: str, **changes: str | None) -> Asker:
    record = Client(id=client_id, name="", auth_method="none")
    one = Asker(site, Party(record, None), Browser(site))
    await log_in(one.browser, await site.user())
    await one.ask(redirect_uri=CALLBACK, scope="openid", **changes)
    return one


def is_consent(page: Page) -> bool:
    return "consent" in page.forms


# -- what it is good for -------------------------------------------------------------------------


async def test_a_client_nobody_registered_logs_a_user_in(site: Site, host: Stranger) -> None:
    client_id = says(host)
    one = await asks(site, client_id)
    assert is_consent(one.browser.page)
    page = await one.browser.submit("consent", "allow")
    tokens = await one.trade(page.answer["code"], redirect_uri=CALLBACK)
    assert tokens.status_code == 200, tokens.text
    assert tokens.json()["scope"] == "openid"


async def test_the_user_is_shown_where_the_client_comes_from_and_where_its_answers_go(
    site: Site, host: Stranger
) -> None:
    client_id = says(host, client_name="Your own bank")
    page = (await asks(site, client_id)).browser.page
    assert client_id in page.text
    assert "app.example" in page.text


async def test_a_client_that_signs_is_known_by_the_keys_in_its_document(site: Site, host: Stranger) -> None:
    mine, other = signer("ES256"), signer("ES256", 1)
    client_id = says(host, token_endpoint_auth_method="private_key_jwt", jwks=json.loads(mine.jwks()))
    for who, status in ((mine, 201), (other, 401)):
        form = {
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid",
            "code_challenge": challenge_of("v" * 43),
            "code_challenge_method": "S256",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": who.assertion(client_id, ISSUER, site.services.now()),
        }
        assert (await site.http.post("/par", data=form)).status_code == status


async def test_what_one_process_fetched_no_other_one_fetches(sqlite_url: str, tmp_path: Path, host: Stranger) -> None:
    options: dict[str, Any] = {"client_documents": "on", "outgoing_allow_loopback": True, "instances": 2}
    async with open_site(sqlite_url, make_keys_dir(tmp_path), **options) as site:
        here, there = [instance.services.client_auth.clients for instance in site.instances]
        client_id = says(host)
        found = await here.get(client_id)
        assert found is not None
        assert await there.get(client_id) == found
        assert len(host.requests) == 1


async def test_two_processes_that_meet_a_client_at_once_agree(sqlite_url: str, tmp_path: Path, host: Stranger) -> None:
    options: dict[str, Any] = {"client_documents": "on", "outgoing_allow_loopback": True, "instances": 2}
    async with open_site(sqlite_url, make_keys_dir(tmp_path), **options) as site:
        here, there = [instance.services.client_auth.clients for instance in site.instances]
        client_id = says(host)
        one, other = await asyncio.gather(here.get(client_id), there.get(client_id))
        assert one is not None
        assert one == other


# -- what is never fetched -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/../client.json",
        "/a/./client.json",
        "/a/%2e%2E/client.json",
        "/client.json#f",
        "/a b",
        "/a\\b",
        "/" + "x" * 400,
    ],
)
async def test_an_id_that_is_no_plain_url_is_not_asked_for(site: Site, host: Stranger, path: str) -> None:
    client_id = says(host, path)
    assert await known(site, client_id) is None
    assert host.requests == []


async def test_an_id_with_a_user_name_is_not_asked_for(site: Site, host: Stranger) -> None:
    assert await known(site, f"http://app@127.0.0.1:{host.port}/client.json") is None
    assert host.requests == []


@pytest.mark.parametrize(
    "client_id",
    [
        "https://127.0.0.1/c.json",
        "https://169.254.169.254/c.json",
        "https://[::ffff:10.0.0.1]/c.json",
        "https://0/c.json",
        "https://2130706433/c.json",
        "https://0x7f.1/c.json",
        "https://db.internal/c.json",
        "http://app.example/c.json",
    ],
)
async def test_an_id_on_the_inside_is_an_unknown_client(sqlite_url: str, tmp_path: Path, client_id: str) -> None:
    async with open_site(sqlite_url, make_keys_dir(tmp_path), client_documents="on") as strict:
        assert await known(strict, client_id) is None
        page = await Browser(strict).get(f"/authorize?client_id={quote(client_id)}&response_type=code")
        assert (page.status, page.location) == (400, "")


async def test_where_documents_are_off_no_url_is_a_client(sqlite_url: str, tmp_path: Path, host: Stranger) -> None:
    client_id = says(host)
    async with open_site(sqlite_url, make_keys_dir(tmp_path), outgoing_allow_loopback=True) as off:
        assert await known(off, client_id) is None
        metadata = (await off.http.get("/.well-known/oauth-authorization-server")).json()
        assert not metadata.get("client_id_metadata_document_supported", False)
    assert host.requests == []


async def test_what_was_known_is_no_client_once_they_are_turned_off(
    sqlite_url: str, tmp_path: Path, host: Stranger
) -> None:
    client_id, keys = says(host), make_keys_dir(tmp_path)
    async with open_site(sqlite_url, keys, client_documents="on", outgoing_allow_loopback=True) as on:
        assert await known(on, client_id) is not None
    async with open_site(sqlite_url, keys, outgoing_allow_loopback=True) as off:
        assert await known(off, client_id) is None


# -- what is not believed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://app.example/client.json"},
        {"client_id": None},
        {"client_name": None},
        {"redirect_uris": None},
        {"redirect_uris": []},
        {"redirect_uris": ["https://app.example/cb#f"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["https://app@evil.example/cb"]},
        {"client_secret": "x" * 43},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"grant_types": ["client_credentials"]},
        {"response_types": ["token"]},
        {"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}},
        {"jwks_uri": "https://169.254.169.254/keys"},
        {"logo_uri": "javascript:alert(1)"},
        {"backchannel_logout_uri": "https://10.0.0.1/logout"},
        {"client_name": "Bank\u202emoc.live"},
        {"software_statement": "a.b.c"},
        {"scope": "admin"},
    ],
)
async def test_a_document_that_cannot_be_is_no_client(site: Site, host: Stranger, changes: dict[str, Any]) -> None:
    client_id = says(host, **changes)
    assert await known(site, client_id) is None
    assert len(host.requests) == 1
    assert await site.services.clients.get(client_id) is None


async def test_nothing_dangerous_can_be_had_by_a_document(site: Site, host: Stranger) -> None:
    wanted: dict[str, Any] = {
        "first_party": True,
        "require_pkce": False,
        "may_impersonate": True,
        "audiences": ["https://api.example"],
        "resources": ["https://api.example"],
        "access_token_ttl": 86400,
        "enabled": True,
        "profile": "default",
        "skip_consent": True,
    }
    client = await known(site, says(host, scope="openid admin admin:users", **wanted))
    assert client is not None
    assert (client.origin, client.scopes, client.resources, client.audiences) == ("document", ("openid",), (), ())
    assert (client.first_party, client.may_impersonate, client.require_pkce) == (False, False, True)
    assert client.access_token_ttl is None


@pytest.mark.parametrize(
    "whole",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"client_id": 1, "client_id": 2}',
        b"[" * 2000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
        b'{"a": NaN}',
        b"\xff\xfe",
        b" " * 5000 + b"{}" + b" " * 200,
    ],
)
async def test_what_is_no_small_json_object_is_no_client(site: Site, host: Stranger, whole: bytes) -> None:
    host.script = answer(whole)
    assert await known(site, url_of(host)) is None


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("404 Not Found", {}),
        ("201 Created", {}),
        ("203 Non-Authoritative Information", {}),
        ("500 Oops", {}),
        ("302 Found", {"Location": "https://app.example/other.json"}),
        ("307 Temporary Redirect", {"Location": "https://app.example/other.json"}),
        ("200 OK", {"Content_Type": "text/html"}),
        ("200 OK", {"Content_Type": ""}),
        ("200 OK", {"Content_Encoding": "gzip"}),
    ],
)
async def test_only_a_plain_200_with_json_is_taken(
    site: Site, host: Stranger, status: str, headers: dict[str, str]
) -> None:
    client_id = url_of(host)
    body = json.dumps(document(client_id)).encode()
    if "Content_Encoding" in headers:
        body = gzip.compress(body)
    host.script = answer(body, status, **headers)
    assert await known(site, client_id) is None
    assert len(host.requests) == 1


async def test_a_server_that_says_nothing_is_left_after_three_seconds(site: Site, host: Stranger) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    host.script = silence
    started = monotonic()
    assert await known(site, url_of(host)) is None
    assert monotonic() - started < 6


# -- how long it is believed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({"Cache_Control": "max-age=600"}, 10 * MINUTE),
        ({"Cache_Control": "max-age=1"}, MINUTE),
        ({"Cache_Control": "no-store"}, MINUTE),
        ({"Cache_Control": "max-age=99999999"}, DAY),
        ({}, HOUR),
    ],
)
async def test_a_document_is_kept_as_its_server_says_within_bounds(
    site: Site, host: Stranger, headers: dict[str, str], kept: Duration
) -> None:
    later, client_id = Later(site), says(host, headers=headers)
    for _ in range(3):
        assert await known(site, client_id) is not None
    later.passes(kept - 1000)
    await known(site, client_id)
    assert len(host.requests) == 1
    later.passes(2000)
    await known(site, client_id)
    assert len(host.requests) == 2


async def test_a_document_that_did_not_change_is_not_sent_again(site: Site, host: Stranger) -> None:
    later, client_id = Later(site), says(host, headers={"ETag": '"one"'})
    before = await known(site, client_id)
    later.passes(2 * HOUR)
    host.script = b"HTTP/1.1 304 Not Modified\r\n\r\n"
    assert await known(site, client_id) == before
    assert b'if-none-match: "one"' in host.requests[1].lower()
    later.passes(HOUR - 1000)
    await known(site, client_id)
    assert len(host.requests) == 2


async def test_a_304_to_a_question_that_was_not_asked_is_no_document(site: Site, host: Stranger) -> None:
    host.script = b"HTTP/1.1 304 Not Modified\r\n\r\n"
    assert await known(site, url_of(host)) is None


async def test_the_last_word_holds_for_a_day_while_its_server_is_down(site: Site, host: Stranger) -> None:
    later, client_id = Later(site), says(host)
    await known(site, client_id)
    host.script = answer(b"down", "503 Service Unavailable")
    later.passes(HOUR + 1)
    assert await known(site, client_id) is not None
    later.passes(DAY)
    assert await known(site, client_id) is None


@pytest.mark.parametrize("spoilt", ["gone", "other"])
async def test_a_document_taken_back_ends_the_client_at_once(site: Site, host: Stranger, spoilt: str) -> None:
    later, client_id = Later(site), says(host)
    assert await known(site, client_id) is not None
    if spoilt == "gone":
        host.script = answer(b"gone", "410 Gone")
    else:
        says(host, client_id="https://evil.example/client.json")
    later.passes(HOUR + 1)
    assert await known(site, client_id) is None
    assert await known(site, client_id) is None  # nor within the pause before it is asked again
    assert len(host.requests) == 2


async def test_new_redirect_uris_are_asked_consent_for_again(site: Site, host: Stranger) -> None:
    client_id = says(host)
    one = await asks(site, client_id)
    await one.browser.submit("consent", "allow")
    assert "code" in (await one.ask(redirect_uri=CALLBACK, scope="openid")).answer  # remembered
    await expire(site, client_id)
    assert "code" in (await one.ask(redirect_uri=CALLBACK, scope="openid")).answer  # fetched again, and the same
    says(host, redirect_uris=[CALLBACK, "https://elsewhere.example/cb"])
    await expire(site, client_id)
    assert is_consent(await one.ask(redirect_uri=CALLBACK, scope="openid"))
    await one.browser.submit("consent", "allow")
    assert "code" in (await one.ask(redirect_uri=CALLBACK, scope="openid")).answer
    assert len(host.requests) == 3


async def expire(site: Site, client_id: str) -> None:
    """Its document is to be asked for again."""
    registration = await site.services.registrations.get(client_id)
    client = await site.services.clients.get(client_id)
    assert registration is not None
    assert client is not None
    stale, since = replace(registration, fresh_until=1), client.updated_at
    assert await site.services.registrations.replace(client, stale, unless_changed_since=since, event=None)
    lookup(site)._fresh.drop(client_id)


# -- what administrators say ---------------------------------------------------------------------


async def test_a_disabled_client_stays_disabled_and_is_not_asked_for(site: Site, host: Stranger) -> None:
    later, client_id, admin = Later(site), says(host), await site.admin()
    await known(site, client_id)
    path = f"/admin/clients/{quote(client_id, safe='')}"
    response = await site.http.patch(path, json={"enabled": False}, headers=admin)
    assert response.status_code == 200, response.text
    later.passes(2 * DAY)
    client = await known(site, client_id)
    assert client is not None
    assert not client.enabled
    assert len(host.requests) == 1
    page = await Browser(site).get(
        f"/authorize?client_id={quote(client_id)}&response_type=code&redirect_uri={CALLBACK}"
    )
    assert (page.status, page.location) == (400, "")


async def test_administrators_cannot_make_a_client_with_such_an_id(site: Site) -> None:
    body = {"name": "Mine", "client_id": "https://app.example/client.json"}
    response = await site.http.post("/admin/clients", json=body, headers=await site.admin())
    assert (response.status_code, response.json()["field"]) == (400, "client_id")


async def test_nor_trust_one_with_passwords(site: Site, host: Stranger) -> None:
    client_id = says(host)
    await known(site, client_id)
    path = f"/admin/clients/{quote(client_id, safe='')}"
    for field, value in (("first_party", True), ("scopes", ["admin"]), ("audiences", ["https://api.example"])):
        response = await site.http.patch(path, json={field: value}, headers=await site.admin())
        assert (response.status_code, response.json()["field"]) == (400, field)


# -- floods --------------------------------------------------------------------------------------


async def test_of_many_who_ask_at_once_one_fetches(site: Site, host: Stranger) -> None:
    client_id = says(host)
    found = await asyncio.gather(*(known(site, client_id) for _ in range(30)))
    assert all(client is not None and client.id == client_id for client in found)
    assert len(host.requests) == 1


async def test_an_address_without_a_document_is_left_alone_for_a_while(site: Site, host: Stranger) -> None:
    later = Later(site)
    host.script = answer(b"{}", "404 Not Found")
    for _ in range(50):
        assert await known(site, url_of(host)) is None
    assert len(host.requests) == 1
    later.passes(NEGATIVE + 1)
    client_id = says(host)
    assert await known(site, client_id) is not None


async def test_ids_made_up_by_the_thousand_reach_one_host_a_few_times(site: Site, host: Stranger) -> None:
    Later(site)
    host.script = answer(b"{}", "404 Not Found")
    for number in range(1000):
        assert await known(site, url_of(host, f"/{number}.json")) is None
    assert len(host.requests) <= min(ADDRESS_BURST, HOST_BURST)


async def test_a_flood_through_the_endpoints_is_bounded_too(site: Site, host: Stranger) -> None:
    host.script = answer(b"{}", "404 Not Found")
    for number in range(100):
        form = {"grant_type": "authorization_code", "client_id": url_of(host, f"/{number}.json"), "code": "x"}
        assert (await site.http.post("/token", data=form)).json()["error"] == "invalid_client"
    assert len(host.requests) <= min(ADDRESS_BURST, HOST_BURST) + 5
    assert (await site.services.clients.list(PageRequest(limit=200))).items == ()


async def test_a_flood_of_unknown_documents_does_not_touch_a_known_one(site: Site, host: Stranger) -> None:
    client_id = says(host)
    assert await known(site, client_id) is not None
    for number in range(200):
        await known(site, url_of(host, f"/{number}.json"))
    assert await known(site, client_id) is not None


class Counting:
    """Servers that have no document for anybody, of any name."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get(self, url: str, **_: Any) -> Fetched:
        self.asked.append(url)
        return Fetched(404, {}, b"")


@pytest.fixture
def everywhere(site: Site) -> Counting:
    Later(site)
    found = lookup(site)
    counting = Counting()
    found.outgoing = counting
    return counting


async def test_one_address_has_a_few_hosts_asked(site: Site, everywhere: Counting) -> None:
    for number in range(500):
        await known(site, f"https://host-{number}.example/client.json")
    assert len(everywhere.asked) == ADDRESS_BURST


async def test_one_host_is_asked_a_few_times_on_behalf_of_everybody(site: Site, everywhere: Counting) -> None:
    for number in range(500):
        telemetry.address.set(f"198.51.{number // 200}.{number % 200}")
        await known(site, f"https://victim.example/{number}.json")
    assert len(everywhere.asked) == HOST_BURST


async def test_who_had_to_wait_for_others_is_not_counted_as_refused(site: Site, everywhere: Counting) -> None:
    for number in range(ADDRESS_BURST + 1):
        await known(site, f"https://host-{number}.example/client.json")
    last = f"https://host-{ADDRESS_BURST}.example/client.json"
    assert last not in everywhere.asked
    telemetry.address.set("198.51.100.1")
    await known(site, last)
    assert last in everywhere.asked
