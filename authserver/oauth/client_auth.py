"""Who the calling client is: registered for one method, and that one alone counts (RFC 6749 section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from authserver import telemetry
from authserver.clock import Clock
from authserver.model.client import AuthMethod, Client
from authserver.model.time import Instant
from authserver.oauth.client_claims import METHODS, Claim, PresentedCredentials, the_only_claim
from authserver.oauth.client_proofs import Assertions, Certificates, Verdict, prove_by_secret
from authserver.oauth.errors import InvalidClient
from authserver.storage.interface import ClientLookup, OnceStore
from authserver.tokens.client_jwt import CLIENT_ALGORITHMS

__all__ = ["METHODS", "SECRETS_ONLY", "ClientAuthenticator", "PresentedCredentials", "Signed"]

SECRETS_ONLY: tuple[AuthMethod, ...] = ("client_secret_basic", "client_secret_post", "none")

_log = telemetry.logger("authserver.client_auth")


@dataclass(frozen=True, slots=True)
class Signed:
    """What is needed for the methods that are more than a secret."""

    assertions: Assertions
    certificates: Certificates
    once: OnceStore
    """Where the `jti` of assertions are kept."""


@dataclass(frozen=True, slots=True)
class ClientAuthenticator:
    clients: ClientLookup
    """The fast way, which may be a moment behind."""
    now: Clock
    stored: ClientLookup
    """The exact way, asked before a known client is refused: its secret may be newer than the copy in
    memory. It also makes a wrong secret cost the query that an unknown client costs."""
    methods: tuple[AuthMethod, ...] = SECRETS_ONLY
    """Those that are on."""
    signed: Signed | None = None

    @property
    def signing_algorithms(self) -> tuple[str, ...]:
        """Of client assertions (RFC 8414: `token_endpoint_auth_signing_alg_values_supported`)."""
        asymmetric = CLIENT_ALGORITHMS if "private_key_jwt" in self.methods else ()
        return (*asymmetric, "HS256") if "client_secret_jwt" in self.methods else asymmetric

    async def authenticate(self, presented: PresentedCredentials) -> Client:
        """The enabled client that sent the request; raises InvalidClient, or InvalidRequest when
        more than one method was used."""
        claim, now = the_only_claim(presented), self.now()
        client = await self.clients.get(claim.client_id)
        verdict = await self._examine(client, claim, presented, now)
        if not (verdict.proven and self._may_use(client, claim)):
            if client is not None:
                client = await self.stored.get(claim.client_id)
            verdict = await self._examine(client, claim, presented, now)
        if verdict.proven and self._may_use(client, claim):
            # Every other refusal is above: from here the assertion is used up.
            await self._use_once(client, verdict, now)
            return client
        raise _refusal(claim, client, verdict)

    async def _examine(
        self, client: Client | None, claim: Claim, presented: PresentedCredentials, now: Instant
    ) -> Verdict:
        if claim.secret is not None:
            return prove_by_secret(client, claim.secret, now)
        if client is not None and client.is_public:
            return Verdict(claim.assertion is None, "a public client with an assertion")
        if self.signed is None:
            return Verdict(False, "no such method here")
        if claim.assertion is not None:
            return await self.signed.assertions.prove(client, claim, presented.endpoint, now)
        if client is not None and client.auth_method in claim.methods:
            return await self.signed.certificates.prove(client, presented)
        return Verdict(False, "no proof")

    def _may_use(self, client: Client | None, claim: Claim) -> TypeGuard[Client]:
        return (
            client is not None
            and client.enabled
            and client.auth_method in claim.methods
            and client.auth_method in self.methods
        )

    async def _use_once(self, client: Client, verdict: Verdict, now: Instant) -> None:
        if verdict.jti is None or self.signed is None:
            return
        if not await self.signed.once.use(f"assertion {client.id}", verdict.jti, expires_at=verdict.until, now=now):
            # Either a library that does not draw a new one each time, or somebody who listened in.
            _log.warning("client assertion used twice", client_id=client.id)
            raise InvalidClient("client_assertion: its jti was used before")


def _refusal(claim: Claim, client: Client | None, verdict: Verdict) -> InvalidClient:
    """The same words for every cause but one: who has proven to be the client is told what else is wrong."""
    challenge, used = "client_secret_basic" in claim.methods, " or ".join(claim.methods)
    if client is not None and client.enabled and verdict.proven:
        described = f"this client is registered for {client.auth_method}, not {used}"
        if client.auth_method in claim.methods:
            described = f"{client.auth_method} is off at this server"
        return InvalidClient(described, challenge=challenge)
    if client is not None and client.enabled and verdict.told is not None:
        return InvalidClient(verdict.told, detail=f"client {client.id}: {verdict.why}")
    cause = "unknown client" if client is None else "disabled client" if verdict.proven else verdict.why
    return InvalidClient(challenge=challenge, detail=f"{cause} ({used})")
