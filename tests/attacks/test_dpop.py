"""Attacks on proof of possession: stolen tokens, stolen proofs, and proofs of something else."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx
from jwt.algorithms import ECAlgorithm

from authserver.model.time import MINUTE, SECOND
from authserver.oauth.dpop import DpopGate
from authserver.storage.interface import StorageUnavailable
from authserver.verifier.testing import ProofKey
from tests.endpoints.test_dpop import TOKEN, a_key, asked, bound_log_in, bound_token, error, refreshed
from tests.people import pass_time
from tests.site import ISSUER, Site

SESSION = f"{ISSUER}/session"
REFUSED = (400, "invalid_dpop_proof")


async def stolen(site: Site) -> tuple[ProofKey, str]:
    """A user's bound token, and the key, which the thief does not have."""
    key = a_key(site)
    return key, (await bound_log_in(site, key)).tokens["access_token"]


async def shown(site: Site, headers: Any, on: int = 0) -> httpx.Response:
    return await site.instances[on].http.get("/session", headers=headers)


# -- a stolen token -----------------------------------------------------------------------------------


async def test_a_bound_token_as_bearer_is_refused_wherever_this_server_reads_tokens(site: Site) -> None:
    key, token = await stolen(site)
    admin = await bound_token(site, key, scopes=("admin",))
    calls = {
        "GET /session": token,
        "GET /sessions": token,
        "DELETE /sessions/0198f0a0-0000-7000-8000-000000000001": token,
        "POST /logout": token,
        "GET /forward-auth": token,
        "GET /userinfo": token,
        "POST /userinfo": token,
        "GET /admin/users": admin,
        "POST /admin/revocations": admin,
    }
    for call, bearer in calls.items():
        method, path = call.split()
        for scheme in ("Bearer", "bearer", "BEARER"):
            headers = {"Authorization": f"{scheme} {bearer}", "DPoP": key.proof(method, ISSUER + path, bearer)}
            answer = await site.http.request(method, path, headers=headers)
            assert error(answer) == (401, "invalid_token"), call
    assert (await shown(site, key.headers("GET", SESSION, token))).status_code == 200, "the session goes on"


async def test_with_another_key_it_opens_nothing(site: Site) -> None:
    _, token = await stolen(site)
    thief = a_key(site)
    assert error(await shown(site, thief.headers("GET", SESSION, token))) == (401, "invalid_token")


async def test_with_the_owners_public_key_and_a_signature_of_another_it_opens_nothing(site: Site) -> None:
    key, token = await stolen(site)
    thief = a_key(site)
    proof = thief.proof("GET", SESSION, token, header={"jwk": key.jwk})
    assert error(await shown(site, {"Authorization": f"DPoP {token}", "DPoP": proof})) == (401, "invalid_dpop_proof")


async def test_two_schemes_at_once_are_none(site: Site) -> None:
    key, token = await stolen(site)
    headers = [("Authorization", f"DPoP {token}"), ("Authorization", f"Bearer {token}")]
    answer = await shown(site, [*headers, ("DPoP", key.proof("GET", SESSION, token))])
    assert error(answer) == (401, "invalid_token")


async def test_a_stolen_refresh_token_of_another_key_is_refused_stays_alive_and_is_written_down(site: Site) -> None:
    key = a_key(site)
    login = await bound_log_in(site, key)
    for proof in (a_key(site).proof("POST", TOKEN), None):
        assert error(await refreshed(site, login, proof)) == (400, "invalid_grant")
    events = await site.audit_types(await site.admin())
    assert events.count("refresh.wrong_key") == 2
    assert (await refreshed(site, login, key.proof("POST", TOKEN))).status_code == 200


async def test_with_the_public_key_of_its_owner_a_refresh_token_is_worth_nothing(site: Site) -> None:
    key, thief = a_key(site), a_key(site)
    login = await bound_log_in(site, key)
    forged = thief.proof("POST", TOKEN, header={"jwk": key.jwk})
    assert error(await refreshed(site, login, forged)) == REFUSED


# -- a stolen proof -----------------------------------------------------------------------------------


async def test_a_proof_counts_once_on_all_servers(site: Site) -> None:
    key, token = await stolen(site)
    headers = key.headers("GET", SESSION, token)
    assert (await shown(site, headers)).status_code == 200
    for server in (0, 1):
        assert error(await shown(site, headers, on=server)) == (401, "invalid_dpop_proof")
    client, proof = await site.client(), key.proof("POST", TOKEN)
    assert (await asked(site, client, proof)).status_code == 200
    assert error(await asked(site, client, proof)) == REFUSED


async def test_of_many_at_once_one_gets_a_token(site: Site) -> None:
    client, proof = await site.client(), a_key(site).proof("POST", TOKEN)
    form = {"grant_type": "client_credentials"}
    races = [
        instance.http.post("/token", data=form, auth=client.auth, headers={"DPoP": proof})
        for instance in site.instances * 8
    ]
    answers = [answer.status_code for answer in await asyncio.gather(*races)]
    assert answers.count(200) == 1
    assert answers.count(400) == len(answers) - 1


async def test_it_is_remembered_until_it_is_too_old(site: Site) -> None:
    """Made with the clock ahead, it lives longest."""
    key, client = a_key(site), await site.client()
    now = site.services.now() // SECOND
    proof = key.proof("POST", TOKEN, iat=now + 9)
    assert (await asked(site, client, proof)).status_code == 200
    for _ in range(4):
        pass_time(site, 20 * SECOND)
        assert error(await asked(site, client, proof)) == REFUSED


async def test_nobody_can_use_up_the_proofs_of_somebody_else(site: Site) -> None:
    client = await site.client()
    for _ in range(2):
        assert (await asked(site, client, a_key(site).proof("POST", TOKEN, jti="the same"))).status_code == 200


OF_SOMETHING_ELSE: tuple[dict[str, Any], ...] = (
    {"htu": "https://evil.example/token"}, {"htu": f"{ISSUER}/par"}, {"htu": f"{ISSUER}/token/"}, {"htu": None},
    {"htu": "http://127.0.0.1:8000@evil.example/token"}, {"htm": "GET"}, {"htm": "post"}, {"htm": None},
    {"iat": 1}, {"iat": 1 << 40}, {"iat": None}, {"iat": "now"}, {"jti": None}, {"jti": "x" * 300}, {"jti": 7},
    {"header": {"alg": "none"}}, {"header": {"alg": "HS256"}}, {"header": {"typ": "JWT"}},
    {"header": {"typ": "at+jwt"}}, {"header": {"jwk": None}}, {"header": {"crit": ["x"], "x": 1}},
    {"header": {"jku": "https://evil.example/jwks"}}, {"header": {"x5c": ["AA"]}},
)  # fmt: skip


async def test_a_proof_of_something_else(site: Site) -> None:
    key, client = a_key(site), await site.client()
    for different in OF_SOMETHING_ELSE:
        assert error(await asked(site, client, key.proof("POST", TOKEN, **different))) == REFUSED, different
    assert (await asked(site, client, key.proof("POST", TOKEN))).status_code == 200


async def test_a_proof_of_another_time(site: Site) -> None:
    key, client = a_key(site), await site.client()
    for seconds, accepted in ((-63, False), (-55, True), (8, True), (13, False)):
        proof = key.proof("POST", TOKEN, iat=site.services.now() // SECOND + seconds)
        assert ((await asked(site, client, proof)).status_code == 200) is accepted, seconds


async def test_a_private_key_in_the_header_is_refused(site: Site) -> None:
    key = a_key(site)
    private = json.loads(ECAlgorithm(ECAlgorithm.SHA256).to_jwk(key.private))
    answer = await asked(site, await site.client(), key.proof("POST", TOKEN, header={"jwk": private}))
    assert error(answer) == REFUSED
    assert private["d"] not in answer.text


async def test_two_proofs_are_refused(site: Site) -> None:
    key, client = a_key(site), await site.client()
    one, other = key.proof("POST", TOKEN), key.proof("POST", TOKEN)
    for proofs in ([("DPoP", one), ("dpop", other)], [("DPoP", f"{one}, {other}")], [("DPoP", one), ("DPoP", "")]):
        form = {"grant_type": "client_credentials"}
        answer = await site.http.post("/token", data=form, auth=client.auth, headers=proofs)
        assert error(answer) == REFUSED


async def test_a_proof_without_the_hash_of_this_token(site: Site) -> None:
    """One for /token that was caught would do for /session otherwise."""
    key, token = await stolen(site)
    for ath in (None, "", "x", 7):
        headers = key.headers("GET", SESSION, token, ath=ath)
        assert error(await shown(site, headers)) == (401, "invalid_dpop_proof")


async def test_a_proof_for_another_token_of_the_same_key(site: Site) -> None:
    key, token = await stolen(site)
    other = await bound_token(site, key)
    headers = {"Authorization": f"DPoP {token}", "DPoP": key.proof("GET", SESSION, other)}
    assert error(await shown(site, headers)) == (401, "invalid_dpop_proof")


async def test_a_proof_for_another_server_does_not_fit_whatever_the_host_header_says(site: Site) -> None:
    key, token = await stolen(site)
    for scheme in ("http", "https"):
        forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": scheme}
        for more in ({"Host": "evil.example"}, {"Host": "evil.example", **forwarded}, forwarded):
            headers = key.headers("GET", f"{scheme}://evil.example/session", token)
            assert error(await shown(site, {**headers, **more})) == (401, "invalid_dpop_proof")


async def test_a_proof_is_no_token_and_a_token_no_proof(site: Site) -> None:
    key, token = await stolen(site)
    proof = key.proof("GET", SESSION, token)
    assert error(await shown(site, {"Authorization": f"Bearer {proof}"})) == (401, "invalid_token")
    headers = {"Authorization": f"DPoP {token}", "DPoP": token}
    assert error(await shown(site, headers)) == (401, "invalid_dpop_proof")


# -- nonces and faults -------------------------------------------------------------------------------


async def test_a_nonce_that_is_missing_strange_or_old_is_answered_with_a_new_one(site: Site) -> None:
    from authserver.tokens.dpop_nonce import Nonces

    gate = site.services.dpop
    for instance in site.instances:
        object.__setattr__(instance.services.dpop, "nonces", Nonces(bytes(range(32))))
    key, client, old = a_key(site), await site.client(), gate.nonce()
    pass_time(site, 2 * MINUTE + SECOND)
    for nonce in (None, "", "strange", old):
        answer = await asked(site, client, key.proof("POST", TOKEN, nonce=nonce))
        assert error(answer) == (400, "use_dpop_nonce")
        assert answer.headers["dpop-nonce"] == gate.nonce() != old
    again = await asked(site, client, key.proof("POST", TOKEN, nonce=gate.nonce(), iat=1))
    assert again.status_code == 200, "the nonce stands for the time"


@dataclass
class Down:
    """A store whose database has just gone away."""

    async def use(self, *args: Any, **named: Any) -> bool:
        raise StorageUnavailable("connection refused at 10.0.0.1")


async def test_when_it_cannot_be_known_whether_a_proof_is_new_there_is_no_token(site: Site) -> None:
    key, token = await stolen(site)
    client = await site.client()
    gate: DpopGate = site.services.dpop
    working = gate.once
    object.__setattr__(gate, "once", Down())
    answer = await asked(site, client, key.proof("POST", TOKEN))
    assert error(answer) == (503, "temporarily_unavailable")
    assert "retry-after" in answer.headers
    assert "10.0.0.1" not in answer.text
    assert (await shown(site, key.headers("GET", SESSION, token))).status_code == 503
    object.__setattr__(gate, "once", working)
    assert (await shown(site, key.headers("GET", SESSION, token))).status_code == 200


async def test_what_is_refused_leaves_nothing_of_a_proof_in_the_answer(site: Site) -> None:
    proof = a_key(site).proof("POST", TOKEN, htu="https://evil.example/\"'<script>")
    answer = await asked(site, await site.client(), proof)
    assert error(answer) == REFUSED
    assert "<script" not in answer.text
    assert not any(segment in answer.text for segment in proof.split("."))
