"""DPoP at the server (RFC 9449): tokens that are bound to a key, and what takes them."""

from __future__ import annotations

import base64
import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from authserver.model.time import SECOND
from authserver.verifier.certificate import certificate_thumbprint
from authserver.verifier.dpop import ALGORITHMS
from authserver.verifier.testing import ProofKey
from tests import people
from tests.browser_flow import logged_in
from tests.site import ISSUER, PASSWORD, LogIn, Party, Site, claims_of, make_keys_dir, open_site

site = people.site
TOKEN = f"{ISSUER}/token"
ALGS = " ".join(ALGORITHMS)


def a_key(site: Site, alg: str = "ES256") -> ProofKey:
    return ProofKey(alg, now=lambda: site.services.now() / SECOND)


async def asked(site: Site, client: Party, proof: str | None, **form: str) -> httpx.Response:
    """A token of the client's own."""
    return await site.http.post(
        "/token",
        data={"grant_type": "client_credentials", **form},
        auth=client.auth,
        headers={} if proof is None else {"DPoP": proof},
    )


async def bound_token(site: Site, key: ProofKey, **fields: Any) -> str:
    answer = await asked(site, await site.client(**fields), key.proof("POST", TOKEN))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def bound_log_in(site: Site, key: ProofKey, **fields: Any) -> LogIn:
    """At /login, in token mode."""
    user, app = await site.user(), await site.app(**fields)
    answer = await site.http.post(
        "/login",
        json={"username": user.username, "password": PASSWORD, "client_id": app.id},
        headers={"DPoP": key.proof("POST", f"{ISSUER}/login")},
    )
    assert answer.status_code == 200, answer.text
    return LogIn(user, app, tokens=answer.json())


async def refreshed(site: Site, login: LogIn, proof: str | None, token: str | None = None) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token or login.tokens["refresh_token"]}
    headers = {} if proof is None else {"DPoP": proof}
    return await site.http.post("/token", data={**form, "client_id": login.client.id}, headers=headers)


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


# -- getting one ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "PS256", "RS256"])
async def test_a_proof_binds_the_token_to_its_key(site: Site, alg: str) -> None:
    key = a_key(site, alg)
    answer = await asked(site, await site.client(), key.proof("POST", TOKEN))
    assert answer.json()["token_type"] == "DPoP"
    assert claims_of(answer.json()["access_token"])["cnf"] == {"jkt": key.jkt}
    assert "dpop-nonce" not in answer.headers


async def test_without_a_proof_it_is_a_bearer_token(site: Site) -> None:
    answer = await asked(site, await site.client(), None)
    assert answer.json()["token_type"] == "Bearer"
    assert "cnf" not in claims_of(answer.json()["access_token"])


async def test_introspection_tells_of_the_key(site: Site) -> None:
    """RFC 9449 section 6.2."""
    key, api = a_key(site), await site.resource_server()
    token = await bound_token(site, key, resources=api.record.audiences)
    told = (await site.http.post("/introspect", data={"token": token}, auth=api.auth)).json()
    assert (told["active"], told["token_type"], told["cnf"]) == (True, "DPoP", {"jkt": key.jkt})


async def test_a_client_may_be_held_to_it(site: Site) -> None:
    client = await site.client(dpop_bound_access_tokens=True)
    assert error(await asked(site, client, None)) == (400, "invalid_dpop_proof")
    assert (await asked(site, client, a_key(site).proof("POST", TOKEN))).status_code == 200


async def test_the_metadata_names_the_algorithms(site: Site) -> None:
    document = (await site.http.get("/.well-known/oauth-authorization-server")).json()
    assert document["dpop_signing_alg_values_supported"] == list(ALGORITHMS)


async def test_the_url_is_the_issuers_in_any_of_its_spellings(site: Site) -> None:
    key, client = a_key(site), await site.client()
    for htu in (f"{ISSUER}/token?a=b", "HTTP://127.0.0.1:8000/token", f"{ISSUER}/x/../token"):
        assert (await asked(site, client, key.proof("POST", TOKEN, htu=htu))).status_code == 200
    for htu in (ISSUER, f"{ISSUER}/token/", "https://127.0.0.1:8000/token", f"{ISSUER}/revoke"):
        assert error(await asked(site, client, key.proof("POST", TOKEN, htu=htu))) == (400, "invalid_dpop_proof")


async def test_below_an_issuer_with_a_path_the_url_has_it_too(database_url: str, tmp_path: Path) -> None:
    issuer = "http://127.0.0.1:8000/auth"
    async with open_site(database_url, make_keys_dir(tmp_path / "keys"), issuer=issuer) as site:
        key, client = a_key(site), await site.client()
        for path in ("/token", "/auth/token"):
            answer = await site.http.post(
                f"http://127.0.0.1:8000{path}",
                data={"grant_type": "client_credentials"},
                auth=client.auth,
                headers={"DPoP": key.proof("POST", f"{issuer}/token")},
            )
            assert answer.status_code == 200, answer.text


async def test_pages_may_read_the_nonce(site: Site) -> None:
    answer = await asked(site, await site.client(), None)
    assert "DPoP-Nonce" in answer.headers["access-control-expose-headers"]
    preflight = await site.http.options("/token")
    assert "DPoP" in preflight.headers["access-control-allow-headers"]


# -- refresh tokens ---------------------------------------------------------------------------------------


async def test_a_public_clients_refresh_token_is_bound_to_the_key(site: Site) -> None:
    """RFC 9449 section 5. A wrong key ends nothing: whoever found the token cannot shut its owner out."""
    key = a_key(site)
    login = await bound_log_in(site, key)
    assert login.tokens["token_type"] == "DPoP"
    assert error(await refreshed(site, login, None)) == (400, "invalid_grant")
    assert error(await refreshed(site, login, a_key(site).proof("POST", TOKEN))) == (400, "invalid_grant")
    answer = await refreshed(site, login, key.proof("POST", TOKEN))
    assert answer.status_code == 200, answer.text
    assert claims_of(answer.json()["access_token"])["cnf"] == {"jkt": key.jkt}
    again = await refreshed(site, login, key.proof("POST", TOKEN), answer.json()["refresh_token"])
    assert again.status_code == 200


async def test_a_log_in_without_a_proof_is_bound_to_nothing(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app())
    assert login.tokens["token_type"] == "Bearer"
    key = a_key(site)
    answer = await refreshed(site, login, key.proof("POST", TOKEN))
    assert answer.json()["token_type"] == "DPoP", "its access tokens may be bound from now on"


async def test_log_in_asks_a_bound_client_for_its_proof(site: Site) -> None:
    user, app = await site.user(), await site.app(dpop_bound_access_tokens=True)
    body = {"username": user.username, "password": PASSWORD, "client_id": app.id}
    assert error(await site.http.post("/login", json=body)) == (400, "invalid_dpop_proof")
    key = a_key(site)
    wrong = {"DPoP": key.proof("POST", TOKEN)}
    assert error(await site.http.post("/login", json=body, headers=wrong)) == (400, "invalid_dpop_proof")


async def test_a_session_of_a_bound_client_is_not_turned_into_tokens(site: Site) -> None:
    login = await site.log_in(await site.user(), await site.app(dpop_bound_access_tokens=True), mode="session")
    answer = await site.http.get("/forward-auth", headers=login.cookie_header)
    assert error(answer) == (401, "login_required")
    assert "authorization" not in answer.headers


# -- this server as a resource server -------------------------------------------------------------------


async def test_its_own_endpoints_take_it_with_a_proof(site: Site) -> None:
    key = a_key(site)
    login = await bound_log_in(site, key)
    token, url = login.tokens["access_token"], f"{ISSUER}/session"
    answer = await site.http.get("/session", headers=key.headers("GET", url, token))
    assert answer.json()["user"]["username"] == login.user.username
    sessions = await site.http.get("/sessions?limit=5", headers=key.headers("GET", f"{ISSUER}/sessions", token))
    (session,) = sessions.json()["sessions"]
    path = f"/sessions/{session['session_id']}"
    assert (await site.http.delete(path, headers=key.headers("DELETE", url, token))).status_code == 401
    assert (await site.http.delete(path, headers=key.headers("DELETE", ISSUER + path, token))).status_code == 204
    assert (await site.http.get("/session", headers=key.headers("GET", url, token))).status_code == 401


async def test_an_administrators_token_may_be_bound(site: Site) -> None:
    key = a_key(site)
    token = await bound_token(site, key, scopes=("admin",))
    url = f"{ISSUER}/admin/users"
    assert (await site.http.get("/admin/users", headers=key.headers("GET", url, token))).status_code == 200
    bearer = await site.http.get("/admin/users", headers={"Authorization": f"Bearer {token}"})
    assert error(bearer) == (401, "invalid_token")
    assert bearer.headers["www-authenticate"].startswith('DPoP error="invalid_token"')
    assert f'algs="{ALGS}"' in bearer.headers["www-authenticate"]


async def test_a_refused_proof_is_401_with_a_challenge(site: Site) -> None:
    key = a_key(site)
    login = await bound_log_in(site, key)
    token, url = login.tokens["access_token"], f"{ISSUER}/session"
    for headers in (
        {"Authorization": f"DPoP {token}"},
        key.headers("POST", url, token),
        key.headers("GET", url, token, ath=None),
        key.headers("GET", url, token, ath="x"),
    ):
        answer = await site.http.get("/session", headers=headers)
        assert error(answer) == (401, "invalid_dpop_proof")
        assert answer.headers["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')
    other = a_key(site)
    stolen = {"Authorization": f"DPoP {token}", "DPoP": other.proof("GET", url, token)}
    assert error(await site.http.get("/session", headers=stolen)) == (401, "invalid_token")
    unbound = await site.log_in(login.user, login.client)
    shown = key.headers("GET", url, unbound.tokens["access_token"])
    assert error(await site.http.get("/session", headers=shown)) == (401, "invalid_token")


async def test_behind_forward_auth_it_is_refused(site: Site) -> None:
    """The proof is for a URL that only the proxy knows."""
    key = a_key(site)
    token = (await bound_log_in(site, key)).tokens["access_token"]
    for headers in ({"Authorization": f"Bearer {token}"}, key.headers("GET", "https://app.example/", token)):
        answer = await site.http.get("/forward-auth", headers=headers)
        assert answer.status_code == 401
        assert "x-auth-subject" not in answer.headers


async def test_revoking_needs_no_proof(site: Site) -> None:
    """Whoever shows a token there wants to be rid of it."""
    key, client = a_key(site), await site.client()
    token = (await asked(site, client, key.proof("POST", TOKEN))).json()["access_token"]
    assert (await site.http.post("/revoke", data={"token": token}, auth=client.auth)).status_code == 200


# -- nonces ---------------------------------------------------------------------------------------------


@pytest.fixture
async def asking(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """Two servers that ask for nonces."""
    keys = make_keys_dir(tmp_path / "keys")
    async with open_site(database_url, keys, instances=2, dpop_nonce="required") as opened:
        yield opened


async def test_a_nonce_is_asked_for_and_the_next_one_comes_along(asking: Site) -> None:
    key, client = a_key(asking), await asking.client()
    first = await asked(asking, client, key.proof("POST", TOKEN))
    assert error(first) == (400, "use_dpop_nonce")
    nonce = first.headers["dpop-nonce"]
    answer = await asked(asking, client, key.proof("POST", TOKEN, nonce=nonce))
    assert answer.status_code == 200
    assert answer.headers.get_list("dpop-nonce") == [nonce]
    refused = await asked(asking, client, key.proof("POST", TOKEN, nonce=nonce), scope="unheard-of")
    assert error(refused) == (400, "invalid_scope")
    assert refused.headers.get_list("dpop-nonce") == [nonce]
    assert "dpop-nonce" not in (await asked(asking, client, None)).headers


async def test_any_server_of_a_site_knows_the_nonce_of_another(asking: Site) -> None:
    key, client = a_key(asking), await asking.client()
    nonce = (await asked(asking, client, key.proof("POST", TOKEN))).headers["dpop-nonce"]
    other = asking.instances[1].http
    proof = {"DPoP": key.proof("POST", TOKEN, nonce=nonce)}
    answer = await other.post("/token", data={"grant_type": "client_credentials"}, auth=client.auth, headers=proof)
    assert answer.status_code == 200


async def test_at_its_own_endpoints_it_is_401(asking: Site) -> None:
    key, url = a_key(asking), f"{ISSUER}/admin/users"
    client = await asking.client(scopes=("admin",))
    nonce = (await asked(asking, client, key.proof("POST", TOKEN))).headers["dpop-nonce"]
    token = (await asked(asking, client, key.proof("POST", TOKEN, nonce=nonce))).json()["access_token"]
    answer = await asking.http.get("/admin/users", headers=key.headers("GET", url, token))
    assert error(answer) == (401, "use_dpop_nonce")
    assert answer.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')
    good = key.headers("GET", url, token, nonce=answer.headers["dpop-nonce"])
    assert (await asking.http.get("/admin/users", headers=good)).status_code == 200


# -- certificates -----------------------------------------------------------------------------------------


def a_certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    today = datetime.datetime.now(datetime.UTC)
    ends = today + datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), today, ends)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def header(certificate: bytes) -> dict[str, str]:
    return {"Client-Cert": f":{base64.b64encode(certificate).decode()}:"}


@pytest.fixture
async def behind_tls(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    settings = {"trusted_proxies": "192.0.2.0/24", "client_certificate_header": "Client-Cert"}
    async with open_site(database_url, make_keys_dir(tmp_path / "keys"), **settings) as opened:
        yield opened


async def test_a_token_may_be_bound_to_the_clients_certificate(behind_tls: Site) -> None:
    """RFC 8705 section 3."""
    mine, other = a_certificate(), a_certificate()
    client = await behind_tls.client(tls_client_certificate_bound_access_tokens=True, scopes=("admin",))
    form = {"grant_type": "client_credentials"}
    answer = await behind_tls.http.post("/token", data=form, auth=client.auth, headers=header(mine))
    assert answer.json()["token_type"] == "Bearer"
    token = answer.json()["access_token"]
    assert claims_of(token)["cnf"] == {"x5t#S256": certificate_thumbprint(mine)}
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await behind_tls.http.get("/admin/users", headers={**bearer, **header(mine)})).status_code == 200
    for wrong in ({}, header(other)):
        assert error(await behind_tls.http.get("/admin/users", headers={**bearer, **wrong})) == (401, "invalid_token")


async def test_without_its_certificate_such_a_client_gets_none(behind_tls: Site) -> None:
    client = await behind_tls.client(tls_client_certificate_bound_access_tokens=True)
    assert error(await asked(behind_tls, client, None)) == (400, "invalid_request")
    proof = a_key(behind_tls).proof("POST", TOKEN)
    assert error(await asked(behind_tls, client, proof)) == (400, "invalid_request")


async def test_the_header_of_whoever_is_no_proxy_says_nothing(site: Site) -> None:
    client = await site.client(tls_client_certificate_bound_access_tokens=True)
    form = {"grant_type": "client_credentials"}
    answer = await site.http.post("/token", data=form, auth=client.auth, headers=header(a_certificate()))
    assert error(answer) == (400, "invalid_request")


@pytest.mark.parametrize(("profile", "status"), [("fapi2", 400), ("default", 200)])
async def test_a_profile_may_refuse_rs256_where_others_take_it(site: Site, profile: str, status: int) -> None:
    answer = await asked(site, await site.client(profile=profile), a_key(site, "RS256").proof("POST", TOKEN))
    assert answer.status_code == status
    assert answer.json().get("error") in (None, "invalid_dpop_proof")


@pytest.mark.parametrize(("profile", "status"), [("fapi2", 401), ("default", 200)])
async def test_nor_does_that_profile_show_its_tokens_with_rs256(site: Site, profile: str, status: int) -> None:
    """The same RSA key can sign either way."""
    one = await logged_in(site, profile=profile)
    key = ProofKey("PS256", now=lambda: site.services.now() / SECOND)
    headers = {"DPoP": key.proof("POST", TOKEN)}
    code = (await one.pushed()).answer["code"]
    token = (await one.trade(code, headers=headers)).json()["access_token"]
    key.alg = "RS256"
    answer = await site.http.get("/userinfo", headers=key.headers("GET", f"{ISSUER}/userinfo", token))
    assert answer.status_code == status, answer.text
