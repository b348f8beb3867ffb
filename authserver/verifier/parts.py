"""What a Verifier is made of, put together and looked after as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Literal, Protocol, get_args

from .claims import expected
from .clock import Clock
from .core import Core
from .follower import FeedFollower
from .introspection import IntrospectionLimits, Introspector
from .jwk import checked_algorithms
from .jwks import JwksCache
from .metadata import Discovery, Unreachable
from .metrics import Counters, Metrics, feed_counters
from .possession import DpopLimits, Possession
from .seen import SeenTokens
from .transport import Transport, TransportError, basic_credentials
from .troubles import Troubles

FeedMode = Literal["stream", "poll", "cached"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The arguments of Verifier that its parts need, see there."""

    issuer: str
    audience: str | Iterable[str]
    leeway: float
    algorithms: Iterable[str]
    max_staleness: float
    client_id: str | None
    client_secret: str | None
    feed: FeedMode
    report: bool | None
    instance: str | None
    cached_tokens: int
    introspection: IntrospectionLimits
    dpop: DpopLimits
    transport: Transport
    follower: Callable[..., FeedFollower]
    clock: Clock
    monotonic: Clock

    def authorization(self) -> str | None:
        """The header of a confidential client, or None; raises ValueError for half a client."""
        if self.client_id is None and self.client_secret is None:
            if self.report:
                raise ValueError("reporting needs client_id and client_secret")
            return None
        if not self.client_id or not self.client_secret:
            raise ValueError("client_id and client_secret belong together")
        return basic_credentials(self.client_id, self.client_secret)


class Renewable(Protocol):
    def renew_locks(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    transport: Transport
    counters: Counters
    discovery: Discovery
    keys: JwksCache
    follower: FeedFollower
    introspector: Introspector | None
    core: Core
    possession: Possession
    troubles: Troubles

    @property
    def ready(self) -> bool:
        return self.follower.ready and self.keys.usable

    def renew_after_fork(self) -> None:
        """Locks may be held by threads that do not exist here. Transport and follower see to themselves."""
        renewed: list[Renewable] = [self.counters, self.discovery, self.keys, self.possession.replays]
        for part in renewed:
            part.renew_locks()
        if self.introspector is not None:
            self.introspector.renew_locks()

    def close(self) -> None:
        self.follower.close()
        self.transport.close()
        if self.introspector is not None:
            self.introspector.close()

    def metrics(self) -> Metrics:
        follower, introspector = self.follower, self.introspector
        values = {
            "age_seconds": follower.age(),
            "ready": int(self.ready),
            "seq": follower.seq,
            "entries": follower.revocations.entries,
            "keys": len(self.keys.kids),
            "keys_age_seconds": self.keys.age(),
            "remembered_tokens": len(self.core.seen),
            "introspection_open": int(introspector is not None and introspector.breaker.is_open),
            **self.counters.values(),
            "jwks_fetches_total": self.keys.fetches,
            "jwks_failures_total": self.keys.failures,
            **feed_counters(follower.counters),
        }
        return Metrics(self.core.expected.issuer, values)

    def status(self) -> dict[str, object]:
        follower, introspector = self.follower, self.introspector
        return {
            "issuer": self.core.expected.issuer,
            "audience": sorted(self.core.expected.audiences),
            "ready": self.ready,
            "age_seconds": _finite(follower.age()),
            "log": follower.log,
            "seq": follower.seq,
            "entries": follower.revocations.entries,
            "keys": list(self.keys.kids),
            "keys_age_seconds": _finite(self.keys.age()),
            "introspection": "none" if introspector is None else introspector.state,
            "problem": self._problem(),
        }

    def _problem(self) -> dict[str, object] | None:
        """The newest, as JSON takes it; without one, why it is not ready yet."""
        newest = self.troubles.newest()
        if newest is not None:
            return {"text": newest[0], "seconds_ago": round(newest[1], 3)}
        missing = "no checkpoint of the revocations" if not self.follower.ready else "no keys of the issuer"
        return None if self.ready else {"text": f"{missing} yet", "seconds_ago": None}


def assemble(options: Options) -> Parts:
    """Raises ValueError for options that cannot work."""
    authorization = options.authorization()
    if options.feed not in get_args(FeedMode):
        raise ValueError(f"feed {options.feed!r}: must be one of {', '.join(get_args(FeedMode))}")
    if not isinstance(options.cached_tokens, int) or options.cached_tokens < 0:
        raise ValueError(f"cached_tokens {options.cached_tokens!r}: must be a whole number, 0 or more")
    counters, troubles = Counters(), Troubles(options.monotonic)
    discovery = Discovery(options.issuer, options.transport, options.monotonic)
    algorithms = checked_algorithms(options.algorithms)
    keys = JwksCache(options.issuer, algorithms, discovery, options.transport, options.monotonic, troubles)
    follower = _follower(options, discovery, keys, authorization, troubles)
    introspector = None
    if authorization is not None:
        introspector = _introspector(options, discovery, authorization, counters, troubles)
    core = Core(
        expected=expected(options.issuer, options.audience, options.leeway),
        algorithms=algorithms,
        keys=keys,
        feed=follower,
        can_ask=introspector is not None,
        counters=counters,
        wall=options.clock,
        seen=SeenTokens(options.cached_tokens),
    )
    possession = Possession(options.dpop, options.clock, options.monotonic)
    return Parts(options.transport, counters, discovery, keys, follower, introspector, core, possession, troubles)


def _follower(
    options: Options, discovery: Discovery, keys: JwksCache, authorization: str | None, troubles: Troubles
) -> FeedFollower:
    return options.follower(
        options.issuer,
        feed_url=lambda: _feed_url(discovery),
        key_for=keys.rsa_key,
        transport=options.transport,
        mode=options.feed,
        max_staleness=options.max_staleness,
        authorization=authorization,
        report=authorization is not None if options.report is None else options.report,
        instance=options.instance,
        on_kid=keys.drop,
        wall=options.clock,
        monotonic=options.monotonic,
        troubles=troubles,
    )


def _introspector(
    options: Options, discovery: Discovery, authorization: str, counters: Counters, troubles: Troubles
) -> Introspector:
    return Introspector(
        discovery,
        options.transport,
        authorization,
        options.introspection,
        options.monotonic,
        counters.introspected,
        troubles,
    )


def _feed_url(discovery: Discovery) -> str:
    try:
        endpoint = discovery.get().revocation_feed_endpoint
    except Unreachable as error:
        raise TransportError(str(error)) from None
    if endpoint is None:
        raise TransportError("the metadata names no revocation feed")
    return endpoint


def _finite(seconds: float) -> float | None:
    return round(seconds, 3) if isfinite(seconds) else None
