"""One client is told of one log-out (OpenID Connect Back-Channel Logout 1.0), and what becomes of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias
from urllib.parse import urlencode

from authserver import telemetry
from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.audit import SYSTEM
from authserver.model.client import Client
from authserver.model.errors import TemporarilyUnavailable
from authserver.model.logout import LogoutDelivery
from authserver.model.time import DAY, HOUR, SECOND, Duration, Instant
from authserver.oauth.subjects import Subjects
from authserver.outgoing import Fetched, OutgoingError
from authserver.storage.interface import AuditStore, ClientLookup, LogoutStore
from authserver.telemetry import LOGOUT_DELIVERIES

KEEP_TRYING: Final[Duration] = DAY
SHORTEST_WAIT: Final[Duration] = 5 * SECOND
LONGEST_WAIT: Final[Duration] = HOUR
DELIVERED: Final = frozenset({200, 204})
"""Section 2.8; 204 because frameworks make it of an empty 200."""
REFUSED: Final = "answers with status 400"

Outcome: TypeAlias = Literal["delivered", "answered", "silent", "dropped"]
"""Told; there was an answer, and it was no; there was none; nobody is to be told any more."""

_log = telemetry.logger("authserver.logout")


class Posts(Protocol):
    """`outgoing.Outgoing`."""

    async def post(self, url: str, body: bytes, content_type: str) -> Fetched: ...


def _jitter() -> float:
    return random.uniform(0.75, 1.25)  # noqa: S311 (spreads the attempts, protects nothing)


class SignsLogoutTokens(Protocol):
    """`tokens.logout_token.LogoutTokens`."""

    def token(self, client: Client, *, jti: str, subject: str, sid: str) -> str: ...


@dataclass(frozen=True, slots=True)
class BackchannelLogout:
    store: LogoutStore
    clients: ClientLookup
    tokens: SignsLogoutTokens
    subjects: Subjects
    outgoing: Posts
    audit: AuditLog
    audit_store: AuditStore
    now: Clock
    jitter: Callable[[], float] = _jitter

    async def deliver(self, delivery: LogoutDelivery) -> Outcome:
        """One attempt, and what it led to is stored. Raises StorageUnavailable; then it is repeated after its lease."""
        client = await self.clients.get(delivery.client_id)
        if client is None or client.backchannel_logout_uri is None:
            await self.store.failed(delivery.id, next_at=None, problem="does not want to be told any more")
            return "dropped"
        problem, answered = await self._post(client, delivery)
        if problem is None:
            await self._delivered(delivery)
            return "delivered"
        await self._failed(delivery, problem)
        return "answered" if answered else "silent"

    async def postpone(self, delivery: LogoutDelivery, until: Instant) -> None:
        """Not now: others keep its receiver busy, or have just found it silent."""
        await self._again(delivery, delivery.last_problem or "has to wait for others", until)

    async def _post(self, client: Client, delivery: LogoutDelivery) -> tuple[str | None, bool]:
        """What is wrong, if anything, and whether the receiver had a say in it. To the address that the client has
        now: a mistyped one may have been mended since."""
        subject = self.subjects.of(client, delivery.user_id)
        try:
            token = self.tokens.token(client, jti=delivery.id, subject=subject, sid=delivery.family_id)
        except TemporarilyUnavailable:
            return "cannot be told: there is no key to sign with", True
        body = urlencode({"logout_token": token}).encode()
        try:
            fetched = await self.outgoing.post(
                client.backchannel_logout_uri or "", body, "application/x-www-form-urlencoded"
            )
        except OutgoingError as error:
            return error.why, False
        return (None if fetched.status in DELIVERED else f"answers with status {fetched.status}"), True

    async def _delivered(self, delivery: LogoutDelivery) -> None:
        await self.store.delivered(delivery.id)
        LOGOUT_DELIVERIES.inc("delivered")
        await self._note(EventType.LOGOUT_DELIVERED, delivery)

    async def _failed(self, delivery: LogoutDelivery, problem: str) -> None:
        """Refused twice in a row is refused: the first time it may have been for a key that it had yet to fetch."""
        wait = min(max(SHORTEST_WAIT, self._age(delivery) // 2), LONGEST_WAIT)
        over = problem == REFUSED == delivery.last_problem
        await self._again(delivery, problem, None if over else self.now() + int(wait * self.jitter()))

    async def _again(self, delivery: LogoutDelivery, problem: str, next_at: Instant | None) -> None:
        if next_at is not None and next_at <= delivery.created_at + KEEP_TRYING:
            await self.store.failed(delivery.id, next_at=next_at, problem=problem)
            LOGOUT_DELIVERIES.inc("put_off")
            return
        await self.store.failed(delivery.id, next_at=None, problem=problem)
        LOGOUT_DELIVERIES.inc("given_up")
        _log.warning("client not told of a log-out", client_id=delivery.client_id, problem=problem)
        await self._note(EventType.LOGOUT_FAILED, delivery, problem)

    async def _note(self, kind: EventType, delivery: LogoutDelivery, problem: str | None = None) -> None:
        event = self.audit.event(
            kind,
            SYSTEM,
            user_id=delivery.user_id,
            client_id=delivery.client_id,
            family_id=delivery.family_id,
            attempts=delivery.attempts,
            problem=problem,
        )
        await self.audit_store.append(event)

    def _age(self, delivery: LogoutDelivery) -> Duration:
        return max(0, self.now() - delivery.created_at)
