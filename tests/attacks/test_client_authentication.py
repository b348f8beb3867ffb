"""Posing as a client that signs or shows a certificate (ATTACKS C)."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from authserver.tokens import client_jwt
from tests.signers import ASSERTION_TYPE, Signer, assertion_claims, b64, signer
from tests.site import ISSUER, TEST, Party, Site, make_keys_dir, open_site
from tests.strangers import answer, authority, certificate, stranger

OTHER_SERVER = "https://as.example"
PROXY, ANYBODY = "192.0.2.7", "198.51.100.7"


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """Two instances behind a proxy at 192.0.2.7."""
    options = {
        "trusted_proxies": "192.0.2.0/24",
        "client_certificate_header": "X-SSL-Client-Cert",
        "client_certificate_verified_header": "X-SSL-Client-Verify",
        "outgoing_allow_loopback": True,
    }
    async with open_site(sqlite_url, make_keys_dir(tmp_path / "keys"), instances=2, **options) as opened:
        yield opened


async def signing_client(site: Site, who: Signer, **fields: Any) -> Party:
    settled = {"auth_method": "private_key_jwt", "jwks": who.jwks(), "grant_types": ("client_credentials",), **fields}
    return await site.client(secret=False, **settled)


async def token(site: Site, assertion: str, on: int = 0, **form: str) -> httpx.Response:
    said = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, **form}
    return await site.instances[on].http.post("/token", data={"grant_type": "client_credentials", **said})


def good(site: Site, client: Party, who: Signer, audience: Any = ISSUER, **claims: Any) -> str:
    return who.assertion(client.id, audience, site.services.now(), **claims)


def refused(response: httpx.Response) -> None:
    assert response.status_code == 401, response.text
    assert response.json()["error"] == "invalid_client"


# -- assertions -----------------------------------------------------------------------------------


async def test_an_assertion_counts_once_on_all_servers_together(site: Site) -> None:
    client = await signing_client(site, signer("ES256"))
    sent = good(site, client, signer("ES256"))
    answers = await asyncio.gather(*(token(site, sent, on=number % 2) for number in range(10)))
    assert sorted(response.status_code for response in answers) == [200] + [401] * 9
    refused(await token(site, sent))


async def test_a_refused_assertion_is_not_used_up_and_the_jti_of_one_client_is_not_another_s(site: Site) -> None:
    who = signer("ES256")
    first, second = await signing_client(site, who), await signing_client(site, who)
    refused(await token(site, good(site, first, who, OTHER_SERVER, jti="same")))
    assert (await token(site, good(site, first, who, jti="same"))).status_code == 200
    assert (await token(site, good(site, second, who, jti="same"))).status_code == 200
    refused(await token(site, good(site, first, who, jti="same")))


@pytest.mark.parametrize(
    "audience",
    [
        OTHER_SERVER,
        f"{OTHER_SERVER}/token",
        [ISSUER, OTHER_SERVER],
        [OTHER_SERVER, ISSUER],
        f"{ISSUER}/token",
        f"{ISSUER}/",
        f"{ISSUER}.evil",
        ISSUER.upper(),
        [],
        "",
    ],
    ids=str,
)
async def test_an_assertion_for_another_server_or_for_several_is_refused(site: Site, audience: Any) -> None:
    client = await signing_client(site, signer("ES256"))
    refused(await token(site, good(site, client, signer("ES256"), audience)))


async def test_issuer_and_subject_must_both_be_the_client(site: Site) -> None:
    who = signer("ES256")
    one, other = await signing_client(site, who), await signing_client(site, signer("ES256", 1))
    refused(await token(site, good(site, one, who, iss=other.id)))
    refused(await token(site, good(site, one, who, sub=other.id)))
    refused(await token(site, good(site, one, who, iss=other.id, sub=other.id)))


async def test_an_assertion_that_would_live_for_hours_is_refused(site: Site) -> None:
    client, seconds = await signing_client(site, signer("ES256")), site.services.now() // 1000
    refused(await token(site, good(site, client, signer("ES256"), exp=seconds + 3600)))
    refused(await token(site, good(site, client, signer("ES256"), exp=seconds - 61)))
    assert (await token(site, good(site, client, signer("ES256"), exp=seconds + 299))).status_code == 200


async def test_alg_none_and_hmac_with_the_public_key_are_refused(site: Site) -> None:
    who = signer("RS256")
    client = await signing_client(site, who)
    payload = b64(json.dumps(assertion_claims(client.id, ISSUER, site.services.now())).encode())
    for alg in ("none", "None", "NONE", "nOnE"):
        head = b64(json.dumps({"alg": alg}).encode())
        for signature in ("", "AA"):
            refused(await token(site, f"{head}.{payload}.{signature}"))
    head = b64(b'{"alg":"HS256"}')
    pem = who.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, who.spki, who.jwks().encode(), json.dumps(who.jwk()).encode()):
        tag = b64(hmac.digest(secret, f"{head}.{payload}".encode(), "sha256"))
        refused(await token(site, f"{head}.{payload}.{tag}"))


async def test_an_access_token_or_id_token_is_no_assertion(site: Site) -> None:
    """Not even where its subject is a client whose keys are, by mistake or by design, the server's own."""
    client = await site.client()
    own = (await site.own_token(client))["access_token"]
    keys = (await site.http.get("/.well-known/jwks.json")).json()
    fields = {"auth_method": "private_key_jwt", "jwks": keys}
    await site.services.client_directory.update(client.id, fields, caller=TEST)
    refused(await token(site, own))
    refused(await token(site, own, client_id=client.id))


async def test_a_request_object_is_no_assertion_whatever_its_sub(site: Site) -> None:
    client = await signing_client(site, signer("ES256"))
    asked = {"client_id": client.id, "response_type": "code", "redirect_uri": "https://app.example/cb"}
    refused(await token(site, good(site, client, signer("ES256"), **asked)))


async def test_headers_that_name_keys_are_refused_and_nobody_is_asked(site: Site) -> None:
    registered, evil = signer("ES256"), signer("ES256", 1)
    client = await signing_client(site, registered)
    async with stranger(answer(evil.jwks().encode())) as other:
        url = f"http://127.0.0.1:{other.port}/"
        for member in (
            {"jku": url},
            {"x5u": url},
            {"jwk": evil.jwk()},
            {"x5c": ["MII"]},
            {"crit": ["jku"], "jku": url},
        ):
            now = site.services.now()
            refused(await token(site, evil.assertion(client.id, ISSUER, now, {"kid": registered.kid, **member})))
    assert other.connections == 0


async def test_unknown_keys_do_not_make_this_server_flood_the_one_with_the_keys(site: Site) -> None:
    who = signer("ES256")
    async with stranger(answer(who.jwks().encode())) as other:
        client = await signing_client(site, who, jwks=None, jwks_uri=f"http://127.0.0.1:{other.port}/")
        for number in range(30):
            now = site.services.now()
            refused(await token(site, signer("ES256", 1).assertion(client.id, ISSUER, now, {"kid": f"k{number}"})))
        assert (await token(site, good(site, client, who))).status_code == 200
    assert other.connections == 1


@pytest.mark.parametrize("url", ["http://10.0.0.1/k", "https://169.254.169.254/k", "https://[::ffff:10.0.0.1]/k"])
async def test_keys_at_an_inside_address_are_not_asked_for(site: Site, url: str) -> None:
    client = await signing_client(site, signer("ES256"), jwks=None, jwks_uri=url)
    refused(await token(site, good(site, client, signer("ES256"))))


async def test_one_method_only_is_taken_and_it_is_the_registered_one(site: Site) -> None:
    who = signer("ES256")
    signing, secret = await signing_client(site, who), await site.client(jwks=who.jwks())
    assert secret.auth is not None
    refused(await token(site, good(site, secret, who)))
    for response in (
        await site.http.post("/token", data={"grant_type": "client_credentials", "client_id": signing.id}),
        await site.http.post("/token", data={"grant_type": "client_credentials"}, auth=(signing.id, "guess")),
    ):
        refused(response)
    two = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": good(site, secret, who)}
    for data, auth in (
        ({**two}, secret.auth),
        ({**two, "client_id": secret.id, "client_secret": secret.secret or ""}, None),
    ):
        response = await site.http.post("/token", data={"grant_type": "client_credentials", **data}, auth=auth)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_a_public_client_gains_nothing_by_an_assertion(site: Site) -> None:
    who = signer("ES256")
    public = await site.client(secret=False, jwks=who.jwks(), grant_types=("refresh_token",))
    refused(await token(site, good(site, public, who)))


async def test_a_disabled_client_is_refused_at_once_however_it_proves_itself(site: Site) -> None:
    who = signer("ES256")
    client = await signing_client(site, who)
    assert (await token(site, good(site, client, who))).status_code == 200
    await site.services.client_directory.set_enabled(client.id, False, caller=TEST, keep_last=False)
    refused(await token(site, good(site, client, who), on=1))


async def test_an_unknown_client_is_answered_like_a_wrong_signature_and_as_slowly(site: Site) -> None:
    who, other = signer("RS256"), signer("RS256", 1)
    client = await signing_client(site, who)

    async def seconds(named: str) -> tuple[float, str]:
        sent = other.assertion(named, ISSUER, site.services.now(), {"kid": who.kid})
        started = perf_counter()
        response = await token(site, sent)
        refused(response)
        return perf_counter() - started, response.text

    known, unknown = [], []
    for _ in range(60):
        known.append(await seconds(client.id))
        unknown.append(await seconds("nobody-here"))
    assert {text for _, text in known} == {text for _, text in unknown}
    ratio = median(s for s, _ in unknown) / median(s for s, _ in known)
    assert 0.5 < ratio < 2


async def test_for_an_unknown_client_a_signature_is_checked_in_vain(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def nobody(alg: str) -> Any:
        return lambda signing_input, signature: checked.append(alg)

    monkeypatch.setattr(client_jwt, "_nobody", nobody)
    refused(await token(site, signer("RS256").assertion("nobody-here", ISSUER, site.services.now())))
    assert set(checked) == {"RS256"}


async def test_no_assertion_is_in_the_log(site: Site, logged: Callable[[], str]) -> None:
    client = await signing_client(site, signer("ES256"))
    sent = [good(site, client, signer("ES256")), good(site, client, signer("ES256"), OTHER_SERVER)]
    for assertion in (*sent, *sent):
        await token(site, assertion)
    told = logged()
    assert "legacy" in told, "it is written down that an audience was wrong"
    assert not any(part in told for assertion in sent for part in assertion.split(".")[1:])


# -- certificates ---------------------------------------------------------------------------------

SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "robot")])


def header(issued: x509.Certificate) -> dict[str, str]:
    der = base64.b64encode(issued.public_bytes(Encoding.DER)).decode()
    return {"X-SSL-Client-Cert": f":{der}:", "X-SSL-Client-Verify": "SUCCESS"}


def reached_from(site: Site, address: str) -> httpx.AsyncClient:
    """The same server as somebody at this address sees it."""
    app = site.http._transport.app  # type: ignore[attr-defined]  # httpx does not name it
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 40000)), base_url=ISSUER)


async def test_a_certificate_in_a_header_from_anybody_but_the_proxy_is_no_certificate(site: Site) -> None:
    who = signer("ES256")
    issued = authority().issue(SUBJECT, who.private.public_key())
    by_name = await site.client(
        secret=False,
        auth_method="tls_client_auth",
        tls_client_auth_subject_dn="CN=robot",
        grant_types=("client_credentials",),
    )
    by_key = await site.client(
        secret=False,
        auth_method="self_signed_tls_client_auth",
        jwks=who.jwks(),
        grant_types=("client_credentials",),
    )
    for client in (by_name, by_key):
        form = {"grant_type": "client_credentials", "client_id": client.id}
        for address, extra, status in (
            (PROXY, {}, 200),
            (ANYBODY, {}, 401),
            (ANYBODY, {"X-Forwarded-For": PROXY}, 401),
            ("::1", {"X-Forwarded-For": PROXY}, 401),
            (PROXY, {"X-Forwarded-For": ANYBODY}, 200),
        ):
            async with reached_from(site, address) as http:
                response = await http.post("/token", data=form, headers={**header(issued), **extra})
            assert response.status_code == status, (address, extra, response.text)


async def test_two_certificates_in_one_request_are_none(site: Site) -> None:
    """A proxy that adds its header instead of replacing what the client sent."""
    who = signer("ES256")
    mine = certificate(SUBJECT, who.private.public_key(), [], issuer=SUBJECT, signer=who.private)
    other = signer("ES256", 1)
    theirs = certificate(SUBJECT, other.private.public_key(), [], issuer=SUBJECT, signer=other.private)
    client = await site.client(
        secret=False,
        auth_method="self_signed_tls_client_auth",
        jwks=who.jwks(),
        grant_types=("client_credentials",),
    )
    headers = [*header(mine).items(), ("x-ssl-client-cert", header(theirs)["X-SSL-Client-Cert"])]
    form = {"grant_type": "client_credentials", "client_id": client.id}
    assert (await site.http.post("/token", data=form, headers=headers)).status_code == 400
    only_verified = [*header(mine).items(), ("X-SSL-Client-Verify", "SUCCESS")]
    by_name = await site.client(
        secret=False,
        auth_method="tls_client_auth",
        tls_client_auth_subject_dn="CN=robot",
        grant_types=("client_credentials",),
    )
    refused(await site.http.post("/token", data={**form, "client_id": by_name.id}, headers=only_verified))


async def test_who_has_a_certificate_of_the_authority_is_not_any_client(site: Site) -> None:
    who = signer("ES256")
    issued = authority().issue(SUBJECT, who.private.public_key(), [x509.DNSName("robot.example.com")])
    others: list[dict[str, Any]] = [
        {"tls_client_auth_subject_dn": "CN=other"},
        {"tls_client_auth_san_dns": "other.example.com"},
        {"tls_client_auth_san_dns": "*.example.com"},
        {"tls_client_auth_san_uri": "robot.example.com"},
        {"tls_client_auth_san_email": "robot.example.com"},
        {},
        {"auth_method": "self_signed_tls_client_auth", "jwks": signer("ES256", 1).jwks()},
        {"auth_method": "private_key_jwt", "jwks": who.jwks()},
    ]
    for fields in others:
        settled = {"auth_method": "tls_client_auth", "grant_types": ("client_credentials",), **fields}
        client = await site.client(secret=False, **settled)
        form = {"grant_type": "client_credentials", "client_id": client.id}
        refused(await site.http.post("/token", data=form, headers=header(issued)))
