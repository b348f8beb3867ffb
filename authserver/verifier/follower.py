"""FeedFollower: a daemon thread that keeps a signed copy of the revocations, and knows how old it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from . import clock
from .clock import Clock
from .state import Revocations
from .transport import Transport


def _ignore(key: bytes) -> None:
    """Nobody wants to hear of revoked keys."""


class FeedFollower:
    """What `Verifier` asks about revocations. Everything here may be called from any thread."""

    revocations: Revocations
    """Another object after a snapshot or a new log: take it anew for each token, after `age()`."""

    def __init__(
        self,
        issuer: str,
        *,
        feed_url: Callable[[], str],
        key_for: Callable[[str], RSAPublicKey | None],
        transport: Transport,
        mode: Literal["stream", "poll", "cached"] = "stream",
        max_staleness: float = 5.0,
        authorization: str | None = None,
        report: bool = False,
        instance: str | None = None,
        on_kid: Callable[[bytes], None] = _ignore,
        wall: Clock = time.time,
        monotonic: Clock = clock.monotonic,
    ) -> None:
        """
        `feed_url`: the `revocation_feed_endpoint` of the metadata; may raise TransportError; asked at each attempt.
        `key_for`: the issuer's key for a `kid`; fetches the JWKS at most once if it does not know it; may raise.
        `authorization`: the header of a confidential client, for private feeds and reports.
        `on_kid`: told the 16-byte key of each revoked `kid`, so that it leaves the JWKS's copy at once.
        The transport is closed with the follower.
        """
        raise NotImplementedError

    def start(self) -> None:
        """Start following, also in a process forked off one that followed. Cheap when it does already."""
        raise NotImplementedError

    def close(self) -> None:
        """Back within a second; what is held stays and ages."""
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        """True from the first checkpoint on whose records are all here."""
        raise NotImplementedError

    def wait_ready(self, timeout: float) -> bool:
        raise NotImplementedError

    def age(self) -> float:
        """Seconds by which the copy may lag behind the issuer; infinite before the first checkpoint."""
        raise NotImplementedError

    def issuer_now(self) -> float | None:
        """The issuer's clock in seconds since the epoch, carried on by the monotonic one."""
        raise NotImplementedError

    @property
    def seq(self) -> int:
        raise NotImplementedError

    @property
    def log(self) -> str | None:
        raise NotImplementedError

    @property
    def checkpoint(self) -> str | None:
        """The newest that was applied, as it came: evidence of what this service knows."""
        raise NotImplementedError

    @property
    def counters(self) -> Mapping[str, int]:
        """gaps, older, forks, refused (checkpoints), snapshots, tiles, reconnects, reports, report_failures, …"""
        raise NotImplementedError
