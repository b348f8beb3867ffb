"""The fake issuer, used as the guide says."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from authserver.verifier import InsufficientScope, InvalidToken, Refusal, Revoked, Undecided, Verifier, accept_until
from authserver.verifier.errors import BadSignature, HeaderNotAcceptable
from authserver.verifier.testing import AUDIENCE, FakeIssuer


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with FakeIssuer() as issuer:
        yield issuer


def refusal_of(verifier: Verifier, token: str, **options: Any) -> str | None:
    try:
        verifier.verify(token, **options)
    except Refusal as refusal:
        return refusal.code
    return None


def test_a_revoked_token_is_refused(issuer: FakeIssuer) -> None:
    verifier, token = issuer.verifier(), issuer.token(scope="read")
    assert verifier.verify(token).has_scope("read")
    issuer.revoke_session(token)
    with pytest.raises(Revoked):
        verifier.verify(token)


def test_every_level_can_be_revoked_and_takes_nothing_else_along(issuer: FakeIssuer) -> None:
    verifier = issuer.verifier()
    levels = {
        "revoked_jti": (issuer.revoke_token, {}),
        "revoked_sid": (issuer.revoke_session, {"sid": "s-1"}),
        "revoked_sub": (issuer.revoke_user, {"sub": "eve"}),
        "revoked_cli": (issuer.revoke_client, {"client_id": "app-2"}),
    }
    bystander = issuer.token()
    for code, (revoke, named) in levels.items():
        token = issuer.token(**named)  # type: ignore[arg-type]  # names of parameters
        assert refusal_of(verifier, token) is None
        revoke(token)
        assert refusal_of(verifier, token) == code
        assert refusal_of(verifier, bystander) is None
    issuer.revoke_all()
    assert refusal_of(verifier, bystander) == "revoked_iss"
    after = issuer.token()
    assert refusal_of(verifier, after) is None
    issuer.revoke_key()
    assert refusal_of(verifier, after) in ("revoked_kid", "unknown_key")
    assert refusal_of(verifier, issuer.token()) is None


def test_what_is_revoked_may_be_named_by_its_own_name(issuer: FakeIssuer) -> None:
    verifier = issuer.verifier()
    token = issuer.token("ada", sid="s-1")
    issuer.revoke_session("s-1")
    assert refusal_of(verifier, token) == "revoked_sid"
    token = issuer.token("ada")
    issuer.revoke_user("ada")
    assert refusal_of(verifier, token) == "revoked_sub"
    assert refusal_of(verifier, issuer.token("ada")) is None, "whoever is logged out may log in again"


def test_claims_are_added_replaced_and_left_out(issuer: FakeIssuer) -> None:
    verifier = issuer.verifier()
    token = verifier.verify(issuer.token("ada", "read", client_id="shop", sid="s-1", tenant="acme"))
    assert (token.subject, token.client_id, token.session_id) == ("ada", "shop", "s-1")
    assert token.claims["tenant"] == "acme"
    assert refusal_of(verifier, issuer.token(aud="https://other.test")) == "wrong_audience"
    assert refusal_of(verifier, issuer.token(jti=None)) == "claim_missing"
    with pytest.raises(InsufficientScope):
        verifier.verify(issuer.token(scope="read"), scope="write")


def test_a_program_has_a_token_without_a_session(issuer: FakeIssuer) -> None:
    token = issuer.verifier().verify(issuer.client_token("cron", "read"))
    assert (token.is_client, token.session_id, token.subject) == (True, None, "cron")


def test_another_audience_is_another_verifier(issuer: FakeIssuer) -> None:
    billing = issuer.verifier("https://billing.test")
    assert refusal_of(billing, issuer.token()) == "wrong_audience"
    assert refusal_of(billing, issuer.token(aud="https://billing.test")) is None


def test_time_goes_by_at_issuer_and_verifier_alike(issuer: FakeIssuer) -> None:
    verifier, token, longer = issuer.verifier(), issuer.token(), issuer.token(expires_in=3600)
    issuer.advance(400)
    assert refusal_of(verifier, token) == "expired"
    assert refusal_of(verifier, longer) is None
    with pytest.raises(ValueError, match="time"):
        issuer.advance(-1)


def test_what_a_verifier_does_while_it_is_cut_off_can_be_tried(issuer: FakeIssuer) -> None:
    denying, asking = issuer.verifier(on_stale="deny"), issuer.verifier(on_stale="introspect")
    lenient, token = issuer.verifier(on_stale=accept_until(60)), issuer.token()
    with issuer.cut_off():
        issuer.advance(10)
        assert refusal_of(denying, token) == "stale"
        with pytest.raises(Undecided):
            asking.verify(token)
        assert refusal_of(lenient, token) is None
        issuer.advance(60)
        assert refusal_of(lenient, token) == "stale"
    assert refusal_of(denying, issuer.token()) is None


def test_while_only_the_feed_is_cut_introspection_knows(issuer: FakeIssuer) -> None:
    verifier, alive, dead = issuer.verifier(), issuer.token(), issuer.token()
    with issuer.cut_off(feed_only=True):
        issuer.revoke_token(dead)
        issuer.advance(10)
        assert refusal_of(verifier, alive) is None
        assert refusal_of(verifier, dead) == "inactive"


def test_a_rotated_key_goes_on_being_good(issuer: FakeIssuer) -> None:
    verifier, before = issuer.verifier(), issuer.token()
    issuer.rotate_key()
    issuer.advance(60)
    assert refusal_of(verifier, issuer.token()) is None
    assert refusal_of(verifier, before) is None


def test_revoking_returns_when_it_has_taken_effect(issuer: FakeIssuer) -> None:
    verifiers = [issuer.verifier() for _ in range(3)]
    for _ in range(20):
        token = issuer.token()
        assert [refusal_of(verifier, token) for verifier in verifiers] == [None] * 3
        issuer.revoke_token(token)
        assert [refusal_of(verifier, token) for verifier in verifiers] == ["revoked_jti"] * 3


def test_a_verifier_that_comes_later_learns_what_was_before(issuer: FakeIssuer) -> None:
    token = issuer.token()
    issuer.revoke_token(token)
    for _ in range(600):
        issuer.revoke_session("of nobody here")
    assert refusal_of(issuer.verifier(), token) == "revoked_jti"


def test_two_issuers_do_not_accept_each_others_tokens(issuer: FakeIssuer) -> None:
    with FakeIssuer("https://other.test") as other, pytest.raises(InvalidToken):
        issuer.verifier().verify(other.token())


@pytest.mark.parametrize("feed", ["stream", "poll", "cached"])
def test_over_http_a_verifier_works_with_nothing_but_the_url(feed: Any) -> None:
    with FakeIssuer(serve=True) as issuer, Verifier(issuer.url, audience=AUDIENCE, feed=feed) as verifier:
        assert verifier.wait_ready(10)
        token = issuer.token()
        assert refusal_of(verifier, token) is None
        issuer.revoke_token(token)
        end = time.monotonic() + 5
        while refusal_of(verifier, token) is None and time.monotonic() < end:
            time.sleep(0.01)
        assert refusal_of(verifier, token) == "revoked_jti"


def test_over_http_its_keys_verify_with_any_library() -> None:
    with FakeIssuer(serve=True) as issuer:
        metadata = httpx.get(f"{issuer.url}/.well-known/oauth-authorization-server").json()
        token = issuer.token("ada")
        key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
        assert jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE)["sub"] == "ada"


def test_what_a_service_reports_is_seen(issuer: FakeIssuer) -> None:
    issuer.verifier(report=True, instance="api-1")
    seq = issuer.revoke_user("ada")
    end = time.monotonic() + 15
    while issuer.applied.get("api-1") != seq and time.monotonic() < end:
        time.sleep(0.02)
    assert issuer.applied == {"api-1": seq}


def test_introspection_needs_the_credentials() -> None:
    with FakeIssuer(serve=True) as issuer:
        form, url = {"token": issuer.token("ada")}, f"{issuer.url}/introspect"
        assert httpx.post(url, data=form).status_code == 401
        known = (issuer.credentials["client_id"], issuer.credentials["client_secret"])
        assert httpx.post(url, data=form, auth=known).json()["sub"] == "ada"


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "EdDSA", "RS256"])
def test_tokens_by_other_algorithms_are_let_in_and_refused_like_all_others(algorithm: str) -> None:
    with FakeIssuer(algorithms=("PS256", "ES256", "EdDSA")) as issuer:
        verifier, token = issuer.verifier(), issuer.token(scope="read", algorithm=algorithm)
        assert jwt.get_unverified_header(token)["alg"] == algorithm
        assert verifier.verify(token).has_scope("read")
        head, payload, signature = token.split(".")
        with pytest.raises(BadSignature):
            verifier.verify(f"{head}.{payload}.{signature[:-8]}{'A' * 8}")
        issuer.revoke_session(token)
        with pytest.raises(Revoked):
            verifier.verify(token)


@pytest.mark.parametrize("algorithm", ["PS256", "ES256", "EdDSA"])
def test_a_header_that_names_another_algorithm_than_its_keys_is_refused(algorithm: str) -> None:
    with FakeIssuer(algorithms=("PS256", "ES256", "EdDSA")) as issuer:
        verifier = issuer.verifier()
        for signed_by in ("RS256", "PS256", "ES256", "EdDSA"):
            token = issuer.token(algorithm=signed_by)
            header = {**jwt.get_unverified_header(token), "alg": algorithm}
            said = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
            respelled = ".".join([said, *token.split(".")[1:]])
            with pytest.raises(BadSignature if signed_by == algorithm else HeaderNotAcceptable):
                verifier.verify(respelled)


def test_a_service_may_take_one_algorithm_only() -> None:
    with FakeIssuer(algorithms=("ES256",)) as issuer:
        verifier = issuer.verifier(algorithms=("RS256",))
        assert verifier.verify(issuer.token())
        with pytest.raises(HeaderNotAcceptable):
            verifier.verify(issuer.token(algorithm="ES256"))
    with pytest.raises(ValueError, match="see `algorithms`"):
        FakeIssuer().token(algorithm="PS256")
