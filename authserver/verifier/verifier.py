"""Verifier: says in some microseconds whether an access token is good and was not taken back."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from .clock import Clock, monotonic, wall
from .core import Opinion
from .errors import NotReady, Overloaded, Refusal
from .follower import FeedFollower
from .httptransport import HttpTransport
from .introspection import IntrospectionLimits
from .jwk import USUAL
from .jwks import MustWait
from .metrics import Metrics
from .parts import FeedMode, Options, assemble
from .policy import OnStale, checked_policy, checked_staleness
from .possession import BEARER, DpopLimits, Shown
from .step_up import check_authentication
from .token import VerifiedToken
from .transport import Transport

_WAITERS = 4
_MAX_WAITING = 64
"""Requests of event loops that wait for the issuer's keys: so many threads, and so many at all."""


class Verifier:
    """Verifies the access tokens of one issuer for one resource server. Make one and share it among all threads."""

    _closed = False

    def __init__(
        self,
        issuer: str,
        *,
        audience: str | Iterable[str],
        max_staleness: float = 5.0,
        on_stale: OnStale = "introspect",
        client_id: str | None = None,
        client_secret: str | None = None,
        leeway: float = 5.0,
        algorithms: Iterable[str] = USUAL,
        feed: FeedMode = "stream",
        report: bool | None = None,
        instance: str | None = None,
        cached_tokens: int = 4096,
        introspection: IntrospectionLimits = IntrospectionLimits(),  # noqa: B008 (frozen)
        dpop: DpopLimits = DpopLimits(),  # noqa: B008 (frozen)
        transport: Transport | None = None,
        follower: Callable[..., FeedFollower] = FeedFollower,
        clock: Clock = wall,
        monotonic: Clock = monotonic,
    ) -> None:
        """
        `audience`: the token must name one of these in `aud`.
        `max_staleness`: seconds that the copy of the revocations may be old.
        `on_stale`: what to do when it is older: "introspect", "deny", or `accept_until(seconds)`.
        `client_id`, `client_secret`: of a confidential client, for introspection, private feeds and reports.
        `leeway`: seconds that clocks may differ, 60 at most.
        `algorithms`: what the issuer's keys may be for; each key is for one, whatever a token says.
        `feed`: "stream" (Server-Sent Events), "poll" (long poll), "cached" (through a shared cache).
        `report`: tell the issuer what was applied, as `instance` (host name and process id); None: with credentials.
        `cached_tokens`: how many tokens' signatures are remembered as good, 2 KiB each; 0 for none.
        `introspection`, `dpop`: the limits of questions to the issuer, and of proofs of DPoP keys.
        `transport`, `follower`, `clock`, `monotonic`: other ways to the network, to the feed and to the time.
        Raises ValueError for arguments that cannot work. Opens no connection.
        """
        self._max_staleness = checked_staleness(max_staleness)
        self._on_stale = checked_policy(on_stale)
        options = Options(
            issuer=issuer,
            audience=audience,
            leeway=leeway,
            algorithms=algorithms,
            max_staleness=self._max_staleness,
            client_id=client_id,
            client_secret=client_secret,
            feed=feed,
            report=report,
            instance=instance,
            cached_tokens=cached_tokens,
            introspection=introspection,
            dpop=dpop,
            transport=HttpTransport() if transport is None else transport,
            follower=follower,
            clock=clock,
            monotonic=monotonic,
        )
        self._parts = parts = assemble(options)
        self._core, self._counters, self._introspector = parts.core, parts.counters, parts.introspector
        self._prepare()

    def __repr__(self) -> str:
        return f"<Verifier of {self.issuer} for {', '.join(sorted(self._core.expected.audiences))}>"

    @property
    def issuer(self) -> str:
        return self._core.expected.issuer

    @property
    def audiences(self) -> frozenset[str]:
        return self._core.expected.audiences

    def _prepare(self) -> None:
        _verifiers.add(self)
        self._lock = threading.Lock()
        self._started = False
        self._waiting = 0
        self._pool = ThreadPoolExecutor(_WAITERS, thread_name_prefix="verifier-keys")

    # -- following --------------------------------------------------------------------------------

    def start(self) -> None:
        """Follow the feed in the background (a daemon thread); calling it again does nothing.

        `verify` does it at the first token, so that a process that was forked off needs no call of its own.
        """
        with self._lock:
            if self._started or self._closed:
                return
            self._parts.follower.start()
            self._started = True

    def close(self) -> None:
        """Stop following. A closed verifier refuses every token (NotReady)."""
        with self._lock:
            self._closed = True
            self._started = False
        self._parts.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ready(self) -> bool:
        """True once the keys and a first checkpoint are there; for readiness probes."""
        return not self._closed and self._parts.ready

    def wait_ready(self, timeout: float) -> bool:
        """Start, and wait up to `timeout` seconds; true if ready."""
        self.start()
        return self._parts.follower.wait_ready(timeout) and self.ready

    def _renew_after_fork(self) -> None:
        """Threads do not survive a fork, locks may be held by one of them: all anew, started at the first token."""
        self._prepare()
        self._parts.renew_after_fork()

    # -- verifying --------------------------------------------------------------------------------

    def verify(
        self,
        token: str,
        *,
        scope: str | Iterable[str] | None = None,
        max_staleness: float | None = None,
        on_stale: OnStale | None = None,
        shown: Shown = BEARER,
    ) -> VerifiedToken:
        """The token's contents if it is good *now*; raises a Refusal otherwise.

        `scope`: all of these are needed (`"a b"` or `["a", "b"]`), else InsufficientScope.
        `max_staleness` and `on_stale` stand in for the verifier's own, for this call.
        `shown`: how the token came, with the proof of its key; without it, only bearer tokens are let in.
        """
        limit, policy = self._limits(max_staleness, on_stale)
        try:
            self._begin()
            seen, ask = self._core.examine(token, scope, limit, policy, wait=True)
            if shown is not BEARER or seen.token.confirmation is not None:
                self._parts.possession.require(token, seen.digest, seen.token.confirmation, shown)
            if ask and self._introspector is not None:
                self._core.conclude(seen, self._introspector.ask(token, seen.digest, seen.token))
        except Refusal as refusal:
            self._counters.refused(refusal.code)
            raise
        return seen.token

    async def verify_async(
        self,
        token: str,
        *,
        scope: str | Iterable[str] | None = None,
        max_staleness: float | None = None,
        on_stale: OnStale | None = None,
        shown: Shown = BEARER,
    ) -> VerifiedToken:
        """`verify` for event loops: what must ask the issuer waits without holding up the loop."""
        limit, policy = self._limits(max_staleness, on_stale)
        try:
            self._begin()
            try:
                seen, ask = self._core.examine(token, scope, limit, policy, wait=False)
            except MustWait:
                seen, ask = await self._in_thread(lambda: self._core.examine(token, scope, limit, policy, wait=True))
            if shown is not BEARER or seen.token.confirmation is not None:
                self._parts.possession.require(token, seen.digest, seen.token.confirmation, shown)
            if ask and self._introspector is not None:
                self._core.conclude(seen, await self._introspector.ask_async(token, seen.digest, seen.token))
        except Refusal as refusal:
            self._counters.refused(refusal.code)
            raise
        return seen.token

    def _limits(self, max_staleness: float | None, on_stale: OnStale | None) -> tuple[float, OnStale]:
        return (
            self._max_staleness if max_staleness is None else checked_staleness(max_staleness),
            self._on_stale if on_stale is None else checked_policy(on_stale),
        )

    def _begin(self) -> None:
        self._counters.verification()
        if not self._started:
            if self._closed:
                raise NotReady(detail="the verifier is closed")
            self.start()

    async def _in_thread(self, examine: Callable[[], Opinion]) -> Opinion:
        if self._waiting >= _MAX_WAITING:
            raise Overloaded(detail="too many requests wait for the issuer's keys")
        self._waiting += 1  # all of this happens in the loop's thread
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, examine)
        finally:
            self._waiting -= 1

    def require_authentication(
        self, token: VerifiedToken, *, acr: str | Iterable[str] | None = None, max_age: float | None = None
    ) -> None:
        """Raises InsufficientAuthentication (RFC 9470) unless the log-in behind the token was of one of the classes
        `acr` and no longer than `max_age` seconds ago."""
        try:
            check_authentication(token, acr, max_age, self._core.wall())
        except Refusal as refusal:
            self._counters.refused(refusal.code)
            raise

    def dpop_nonce(self) -> str | None:
        """What the header DPoP-Nonce says in answers to those who use DPoP; None where nonces are not asked for."""
        return self._parts.possession.current_nonce()

    # -- telling ----------------------------------------------------------------------------------

    def metrics(self) -> Metrics:
        """Counters and gauges; `metrics().prometheus()` is their text for a scraper."""
        return self._parts.metrics()

    def status(self) -> dict[str, object]:
        """For health pages, as JSON takes it: no infinity (None stands for "never"), no secrets.

        `problem`: None when all is well, else the `text` of what went wrong last and `seconds_ago`.
        """
        status = {**self._parts.status(), "ready": self.ready}
        return (
            {**status, "problem": {"text": "the verifier is closed", "seconds_ago": None}} if self._closed else status
        )


_verifiers: weakref.WeakSet[Verifier] = weakref.WeakSet()


def _renew_all() -> None:
    for verifier in list(_verifiers):
        verifier._renew_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
