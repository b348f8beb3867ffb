"""Asking the issuer about one token (RFC 7662), when the copy of the revocations is too old to say.

An issuer that is slow, down or flooded must not take its resource servers along: few ask at once, the rest waits for
a bounded time, several requests with the same token ask once, and after failures in a row nobody asks for a while.
Answers are not kept: an answer is about the moment it was given.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLong
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

from .breaker import Breaker
from .clock import Clock
from .metadata import Discovery, Unreachable, json_answer
from .strict import Malformed, json_object
from .token import VerifiedToken
from .transport import Transport, TransportError, cause_of, same_origin
from .troubles import Troubles

MAX_ANSWER = 64 * 1024
"""Bytes."""

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

Outcome = Literal["active", "inactive", "failed", "timeout", "overloaded", "open"]


class Answer(NamedTuple):
    """What came of asking; only the first two say something about the token."""

    outcome: Outcome
    retry_after: int = 1
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectionLimits:
    concurrency: int = 8
    """Requests to the issuer at once."""
    queue: int = 64
    """Tokens that wait for one of them; more are refused at once (503)."""
    deadline: float = 2.0
    """Seconds for all of it, waiting included."""
    failures: int = 5
    """In a row, after which nobody asks …"""
    rest: float = 5.0
    """… for so many seconds."""


class Introspector:
    """Never raises: what cannot be found out is an Answer as well."""

    def __init__(
        self,
        discovery: Discovery,
        transport: Transport,
        authorization: str,
        limits: IntrospectionLimits,
        monotonic: Clock,
        count: Callable[[str], None],
        troubles: Troubles,
    ) -> None:
        self._discovery = discovery
        self._transport = transport
        self._authorization = authorization
        self._limits = limits
        self._monotonic = monotonic
        self._count = count
        self._troubles = troubles
        self.breaker = Breaker(limits.failures, limits.rest, monotonic)
        self.renew_locks()

    def renew_locks(self) -> None:
        """After a fork: the pool's threads do not exist here."""
        self.breaker.renew_locks()
        self._lock = threading.Lock()
        self._flights: dict[bytes, Future[Answer]] = {}
        self._pool = ThreadPoolExecutor(self._limits.concurrency, thread_name_prefix="verifier-introspection")
        self._closed = False

    @property
    def state(self) -> str:
        return "resting after failures" if self.breaker.is_open else "available"

    def close(self) -> None:
        """Nobody is asked any more; who waits gets an answer within the deadline."""
        with self._lock:
            self._closed = True
            self._pool.shutdown(wait=False, cancel_futures=True)

    def ask(self, token: str, digest: bytes, verified: VerifiedToken) -> Answer:
        flight = self._flight(token, digest, verified)
        if isinstance(flight, Answer):
            return flight
        try:
            return flight.result(timeout=self._limits.deadline)
        except WaitedTooLong:
            return Answer("timeout", detail="introspection took too long")

    async def ask_async(self, token: str, digest: bytes, verified: VerifiedToken) -> Answer:
        flight = self._flight(token, digest, verified)
        if isinstance(flight, Answer):
            return flight
        # Shielded: a caller that goes away must not end what others wait for.
        waited = asyncio.shield(asyncio.wrap_future(flight))
        try:
            return await asyncio.wait_for(waited, self._limits.deadline)
        except TimeoutError:
            return Answer("timeout", detail="introspection took too long")

    def _flight(self, token: str, digest: bytes, verified: VerifiedToken) -> Future[Answer] | Answer:
        with self._lock:
            flight = self._flights.get(digest)
            if flight is not None:
                return flight
            if len(self._flights) >= self._limits.concurrency + self._limits.queue:
                return self._counted(Answer("overloaded", detail="too many tokens wait for introspection"))
            if self._closed:
                return Answer("failed", detail="the verifier is closed")
            if wait := self.breaker.wait():
                return self._counted(Answer("open", retry_after=ceil(wait), detail="introspection failed lately"))
            flight = self._flights[digest] = Future()
            deadline = self._monotonic() + self._limits.deadline
            self._pool.submit(self._fly, flight, token, digest, verified, deadline)
            return flight

    def _fly(self, flight: Future[Answer], token: str, digest: bytes, verified: VerifiedToken, deadline: float) -> None:
        answer = Answer("failed", detail="introspection broke")
        try:
            answer = self._asked(token, verified, deadline)
        finally:
            with self._lock:
                self._flights.pop(digest, None)
            flight.set_result(self._counted(answer))

    def _counted(self, answer: Answer) -> Answer:
        self._count(answer.outcome)
        return answer

    def _asked(self, token: str, verified: VerifiedToken, deadline: float) -> Answer:
        if self._monotonic() >= deadline:  # waited too long in the queue; whoever asked is gone
            self.breaker.abandoned()
            return Answer("overloaded", detail="waited too long for introspection")
        try:
            answer = _judged(self._request(token, deadline), verified)
        except (Unreachable, TransportError, Malformed) as error:
            self.breaker.failed()
            detail = f"introspection: {error}"
            self._troubles.arose("introspection", detail)
            return Answer("failed", detail=detail)
        except BaseException:
            self.breaker.failed()
            raise
        self.breaker.succeeded()
        self._troubles.over("introspection")
        return answer

    def _request(self, token: str, deadline: float) -> dict[str, Any]:
        endpoint = self._discovery.get().introspection_endpoint
        if endpoint is None:
            raise Unreachable("the metadata names no introspection endpoint")
        if not same_origin(endpoint, self._discovery.issuer):
            raise Unreachable("the introspection endpoint is elsewhere: tokens and credentials go to the issuer alone")
        left = deadline - self._monotonic()
        if left <= 0:
            raise Unreachable("the metadata took too long")
        body = urlencode({"token": token, "token_type_hint": "access_token"}).encode("ascii")
        headers = {**_HEADERS, "Authorization": self._authorization}
        response = self._transport.post(endpoint, body, limit=MAX_ANSWER, headers=headers, timeout=left, deadline=left)
        if cause := cause_of(response.status, credentials=True):
            raise Unreachable(f"status {response.status}: {cause}")
        return json_object(json_answer(response, "application/json"))


def _judged(answer: dict[str, Any], verified: VerifiedToken) -> Answer:
    """`active` must be a boolean, and what is active must be this very token; raises Unreachable otherwise."""
    active = answer.get("active")
    if active is False:
        return Answer("inactive")
    told = {name: answer.get(name) for name in ("sub", "client_id", "exp")}
    known = {"sub": verified.subject, "client_id": verified.client_id, "exp": verified.expires_at}
    if active is not True or told != known or answer.get("jti", verified.token_id) != verified.token_id:
        raise Unreachable("the answer is not about this token")
    return Answer("active")
