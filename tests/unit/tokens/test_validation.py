"""Access tokens presented to this server: the good signature is remembered, the verdict never."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from authserver.model.audit import SYSTEM
from authserver.model.errors import InvalidToken
from authserver.model.revocation import TokenFacts, TokenState
from authserver.model.time import MINUTE, SECOND
from authserver.storage.interface import StorageUnavailable
from authserver.tokens.issuer import TokenIssuer
from authserver.tokens.opaque import OpaqueTokens
from authserver.tokens.rotation import KeyRotation
from authserver.tokens.validation import AccessTokens
from tests.unit.tokens.builders import ISSUER, MASTER, NOON, FakeClock, a_rotation, a_signing_server, an_authorization


@dataclass
class Verdicts:
    """Stands for the database's answer where a test is about what is made of it."""

    state: TokenState = field(default_factory=lambda: TokenState(alive=True))
    asked: list[TokenFacts] = field(default_factory=list)
    down: bool = False

    async def check(self, facts: TokenFacts) -> TokenState:
        self.asked.append(facts)
        if self.down:
            raise StorageUnavailable
        return self.state


@dataclass
class Server:
    clock: FakeClock
    rotation: KeyRotation
    verdicts: Verdicts
    issuer: TokenIssuer
    tokens: AccessTokens
    opaque: OpaqueTokens


@pytest.fixture
async def server(sqlite_stores: Any) -> Server:
    clock = FakeClock()
    rotation = await a_signing_server(sqlite_stores.keys, clock)
    verdicts = Verdicts()
    opaque = OpaqueTokens(MASTER, sqlite_stores.references)
    tokens = AccessTokens(rotation.ring, verdicts, ISSUER, clock, opaque, cached=3)  # type: ignore[arg-type]  # verdicts of tests, as far as they are asked
    return Server(clock, rotation, verdicts, TokenIssuer(ISSUER, rotation.ring, 5 * MINUTE, clock), tokens, opaque)


async def test_a_token_of_ours_is_read_back(server: Server) -> None:
    authorization = an_authorization()
    minted = server.issuer.access_token(authorization)
    claims = server.tokens.verify(minted.token)
    assert (claims.sub, claims.sid, claims.jti) == (authorization.subject, authorization.family_id, minted.jti)
    assert (claims.scope, claims.aud, claims.rv) == (
        authorization.scope,
        authorization.audience,
        authorization.versions,
    )
    assert (claims.iat, claims.exp) == (NOON, NOON + 5 * MINUTE)


async def test_the_signature_of_a_token_seen_before_is_not_computed_again(server: Server) -> None:
    token = server.issuer.access_token(an_authorization()).token
    assert server.tokens.verify(token) is server.tokens.verify(token)


async def test_a_token_seen_before_still_expires(server: Server) -> None:
    token = server.issuer.access_token(an_authorization()).token
    server.tokens.verify(token)
    server.clock.advance(5 * MINUTE - 1)
    server.tokens.verify(token)
    server.clock.advance(1)
    with pytest.raises(InvalidToken, match="expired"):
        server.tokens.verify(token)


async def test_a_token_seen_before_is_refused_once_its_key_is_withdrawn(server: Server) -> None:
    token = server.issuer.access_token(an_authorization()).token
    server.tokens.verify(token)
    await server.rotation.withdraw(server.rotation.ring.signing.kid, caller=SYSTEM)
    with pytest.raises(InvalidToken, match="key is not known"):
        server.tokens.verify(token)


async def test_what_is_remembered_is_bounded_and_the_least_used_goes_first(server: Server) -> None:
    tokens = [server.issuer.access_token(an_authorization()).token for _ in range(4)]
    first, second, *_ = [server.tokens.verify(token) for token in tokens[:3]]
    assert server.tokens.verify(tokens[0]) is first
    server.tokens.verify(tokens[3])
    assert server.tokens.verify(tokens[0]) is first
    assert server.tokens.verify(tokens[1]) is not second


async def test_no_token_is_kept_in_memory(server: Server) -> None:
    token = server.issuer.access_token(an_authorization()).token
    server.tokens.verify(token)
    assert token not in str(vars(server.tokens))


async def test_the_database_is_asked_about_a_token_each_time(server: Server) -> None:
    token = server.issuer.access_token(an_authorization()).token
    for _ in range(3):
        claims, state = await server.tokens.authenticate(token)
        assert state.alive
    assert server.verdicts.asked == [claims.facts] * 3


async def test_a_revoked_token_is_refused_without_telling_the_bearer_why(server: Server) -> None:
    token = server.issuer.access_token(an_authorization()).token
    await server.tokens.authenticate(token)
    server.verdicts.state = TokenState(alive=False, reason="subject")
    with pytest.raises(InvalidToken) as refused:
        await server.tokens.authenticate(token)
    assert (refused.value.description, refused.value.detail) == ("The token was revoked.", "denied by subject")


async def test_when_the_database_cannot_answer_nothing_is_decided(server: Server) -> None:
    token = server.issuer.access_token(an_authorization()).token
    server.verdicts.down = True
    with pytest.raises(StorageUnavailable):
        await server.tokens.authenticate(token)


async def test_the_database_is_not_asked_about_forgeries(server: Server) -> None:
    token = server.issuer.access_token(an_authorization()).token
    with pytest.raises(InvalidToken):
        await server.tokens.authenticate(token[:-4] + "AAAA")
    assert server.verdicts.asked == []


async def test_a_token_under_a_key_that_another_instance_just_made_is_accepted(
    server: Server, sqlite_stores: Any
) -> None:
    """After an emergency on the other instance, before this one has heard of it."""
    other = a_rotation(sqlite_stores.keys, server.clock)
    await other.ring.load()
    await other.withdraw(other.ring.signing.kid, caller=SYSTEM)
    token = TokenIssuer(ISSUER, other.ring, 5 * MINUTE, server.clock).access_token(an_authorization()).token
    claims, _ = await server.tokens.authenticate(token)
    assert claims.kid == other.ring.signing.kid


async def test_a_token_from_a_clock_a_minute_ahead_is_accepted_and_from_further_is_not(server: Server) -> None:
    server.clock.advance(60 * SECOND)
    token = server.issuer.access_token(an_authorization()).token
    server.clock.advance(-60 * SECOND)
    server.tokens.verify(token)
    server.clock.advance(-1)
    with pytest.raises(InvalidToken, match="not valid yet"):
        AccessTokens(server.rotation.ring, server.verdicts, ISSUER, server.clock, server.opaque).verify(token)  # type: ignore[arg-type]  # verdicts of tests, as far as they are asked
