"""Verifier: says in some microseconds whether an access token is good and was not taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self

from .clock import Clock, monotonic, wall
from .policy import OnStale
from .token import VerifiedToken

FeedMode = Literal["stream", "poll", "cached"]


class Verifier:
    """Verifies the access tokens of one issuer for one resource server. Make one and share it among all threads."""

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
        algorithms: Iterable[str] = ("RS256",),
        feed: FeedMode = "stream",
        report: bool | None = None,
        instance: str | None = None,
        cached_tokens: int = 4096,
        transport: Any = None,
        clock: Clock = wall,
        monotonic: Clock = monotonic,
    ) -> None:
        """
        `audience`: the token must name one of these in `aud`.
        `max_staleness`: seconds that the copy of the revocations may be old.
        `on_stale`: what to do when it is older: "introspect", "deny", or `accept_until(seconds)`.
        `client_id`, `client_secret`: of a confidential client, for introspection, private feeds and reports.
        `leeway`: seconds that clocks may differ, 60 at most.
        `feed`: "stream" (Server-Sent Events), "poll" (long poll), "cached" (through a shared cache).
        `report`: tell the issuer what was applied; None means: if there are credentials.
        Raises ValueError for arguments that cannot work. Opens no connection.
        """
        raise NotImplementedError

    def start(self) -> None:
        """Follow the feed in the background (a daemon thread); calling it again does nothing.

        `verify` does it at the first token, so that a process that was forked off needs no call of its own.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Stop following. A closed verifier refuses every token (NotReady)."""
        raise NotImplementedError

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
        raise NotImplementedError

    def wait_ready(self, timeout: float) -> bool:
        """Start, and wait up to `timeout` seconds; true if ready."""
        raise NotImplementedError

    def verify(
        self,
        token: str,
        *,
        scope: str | Iterable[str] | None = None,
        max_staleness: float | None = None,
        on_stale: OnStale | None = None,
    ) -> VerifiedToken:
        """The token's contents if it is good *now*; raises a Refusal otherwise.

        `scope`: all of these are needed (`"a b"` or `["a", "b"]`), else InsufficientScope.
        `max_staleness` and `on_stale` stand in for the verifier's own, for this call.
        """
        raise NotImplementedError

    async def verify_async(
        self,
        token: str,
        *,
        scope: str | Iterable[str] | None = None,
        max_staleness: float | None = None,
        on_stale: OnStale | None = None,
    ) -> VerifiedToken:
        """`verify` for event loops: what must ask the issuer waits without holding up the loop."""
        raise NotImplementedError

    def metrics(self) -> Any:
        """Counters and gauges; `metrics().prometheus()` is their text for a scraper."""
        raise NotImplementedError

    def status(self) -> Mapping[str, object]:
        """For health pages: ready, age_seconds, seq, log, entries, issuer, keys …; no secrets."""
        raise NotImplementedError
