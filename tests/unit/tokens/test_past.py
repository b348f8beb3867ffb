"""Tokens of the past are readable as long as their key is stored, and forged ones never are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authserver.model.errors import InvalidToken
from authserver.model.time import DAY, SECOND
from authserver.tokens import jwt
from authserver.tokens.keyring import ActiveKey
from authserver.tokens.past import read_past, unverified_parts
from authserver.tokens.signingkey import make_signing_key, open_signing_key
from tests.unit.tokens.builders import ISSUER, MASTER, NOON

STORED = make_signing_key(2048, MASTER, NOON)
PAIR = open_signing_key(STORED, MASTER)
YEAR_AGO = NOON - 365 * DAY
CLAIMS = {
    "iss": ISSUER, "sub": "robot", "aud": ISSUER, "client_id": "robot", "jti": "one", "rv": "0.0.0",
    "iat": YEAR_AGO // SECOND, "exp": YEAR_AGO // SECOND + 300,
}  # fmt: skip
TOKEN = jwt.sign(CLAIMS, ActiveKey(PAIR.kid, "RS256", PAIR.private), "at+jwt")


@pytest.mark.parametrize("state", ["active", "retired", "revoked"])
def test_an_expired_token_is_read_whatever_became_of_its_key(state: str) -> None:
    claims = read_past(TOKEN, [replace(STORED, state=state)], ISSUER)  # type: ignore[arg-type]  # a parameter of pytest
    assert (claims.jti, claims.exp) == ("one", (YEAR_AGO // SECOND + 300) * SECOND)


def test_a_token_that_no_stored_key_signed_is_refused() -> None:
    other = make_signing_key(2048, MASTER, NOON)
    for keys in ([], [other], [replace(other, kid=STORED.kid)]):
        with pytest.raises(InvalidToken):
            read_past(TOKEN, keys, ISSUER)


def test_a_changed_token_or_another_issuer_is_refused() -> None:
    head, _, signature = TOKEN.split(".")
    forged = jwt.sign({**CLAIMS, "sub": "admin"}, ActiveKey(PAIR.kid, "RS256", PAIR.private), "at+jwt").split(".")[1]
    for token, issuer in ((f"{head}.{forged}.{signature}", ISSUER), (TOKEN, "https://elsewhere.example")):
        with pytest.raises(InvalidToken):
            read_past(token, [STORED], issuer)


@given(st.one_of(st.text(max_size=200), st.lists(st.text("AQgw_-=.{}", max_size=40)).map(".".join)))
def test_anything_else_is_refused_and_never_breaks(text: str) -> None:
    for read in (unverified_parts, lambda token: read_past(token, [STORED], ISSUER)):
        with pytest.raises(InvalidToken):
            read(text)
