"""A copy of the issuer's keys: one request at a time, never more often than needed, never older than is safe."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from contextlib import suppress
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from .clock import Clock
from .errors import KeysUnavailable, Overloaded, Revoked, UnknownKey
from .jwk import Key, UnusableKeys, is_kid, parse_jwks
from .metadata import DEADLINE, Discovery, Unreachable, json_answer
from .records import key_of
from .transport import Transport, TransportError
from .troubles import Troubles

MAX_JWKS = 256 * 1024
"""Bytes."""
REFRESH_AFTER = 300.0
"""Seconds after which new keys are fetched in the background; a request waits only beyond MAX_AGE."""
MAX_AGE = 600.0
STALE_BOUND = 3600.0
"""Seconds that old keys are used while the issuer's cannot be had; then nothing is verified any more."""
COOLDOWN = 30.0
"""Seconds between two requests for the sake of an unknown `kid`."""
RETRY_AFTER = 5.0
"""Seconds between two attempts while they fail."""
MAX_DROPPED = 1024
MAX_WAITING = 8
"""Requests with an unknown `kid` that wait for a fetch; made-up names must not occupy all threads of a service."""

NEVER = float("-inf")


class MustWait(Exception):
    """The keys must be fetched first, and the caller may not wait for the network."""


class JwksCache:
    """Keys by `kid`. The look-up takes no lock; a lock is held only to say who fetches."""

    def __init__(
        self,
        issuer: str,
        algorithms: Sequence[str],
        discovery: Discovery,
        transport: Transport,
        monotonic: Clock,
        troubles: Troubles,
    ) -> None:
        self._issuer = issuer
        self._algorithms = algorithms
        self._discovery = discovery
        self._transport = transport
        self._monotonic = monotonic
        self._troubles = troubles
        self._keys: dict[str, Key] = {}
        self._dropped: dict[bytes, None] = {}
        self._fetched_at = self._failed_at = self._unknown_at = NEVER
        self._refresh_at = self._usable_until = NEVER
        self._failure = "the keys were never fetched"
        self.fetches = self.failures = 0
        self.renew_locks()

    def renew_locks(self) -> None:
        """After a fork: a lock may be held, and a fetch under way, in a thread that does not exist here."""
        self._lock = threading.Lock()
        self._flight: Future[None] | None = None
        self._waiting = 0

    # -- what is held -------------------------------------------------------------------------

    @property
    def kids(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def age(self) -> float:
        """Seconds since the newest keys were asked for; infinite before the first."""
        return self._monotonic() - self._fetched_at

    def holds(self, key: Key) -> bool:
        """True while this key is published and the copy is not too old: asked for each token, seen before or not."""
        now = self._monotonic()
        if now > self._usable_until:
            return False  # `get` fetches, and waits for it
        if now >= self._refresh_at:
            self._refresh_in_background(now)
        return self._keys.get(key.kid) is key

    def drop(self, revocation_key: bytes) -> None:
        """Forget a key that the feed revokes, and do not take it back, whatever the JWKS says."""
        with self._lock:
            if len(self._dropped) >= MAX_DROPPED:  # the feed itself still lists them all
                del self._dropped[next(iter(self._dropped))]
            self._dropped[revocation_key] = None
            self._keys = self._without_dropped(self._keys)

    def _without_dropped(self, keys: dict[str, Key]) -> dict[str, Key]:
        return {kid: key for kid, key in keys.items() if key.revocation_key not in self._dropped}

    # -- asking -------------------------------------------------------------------------------

    def get(self, kid: object, *, wait: bool = True) -> Key:
        """The key; fetches the JWKS if that may help and is not too often.

        Raises UnknownKey when the issuer certainly has none of that name, Revoked when the feed has named it,
        KeysUnavailable or Overloaded when it cannot be said, MustWait instead of waiting unless `wait`.
        """
        if not isinstance(kid, str) or not is_kid(kid):
            raise UnknownKey
        self._keep_fresh(wait)
        key = self._keys.get(kid)
        if key is None and self.usable:
            if key_of("kid", self._issuer, kid) in self._dropped:
                raise Revoked("kid")
            self._look_for_unknown(wait)
            key = self._keys.get(kid)
        if not self.usable:
            raise KeysUnavailable(detail=self._failure, retry_after=round(RETRY_AFTER))
        return key or self._refuse_unknown()

    def rsa_key(self, kid: str) -> RSAPublicKey | None:
        """For checkpoints: the key of that name that signs RS256, or None; never raises."""
        try:
            return self.get(kid).rsa
        except (UnknownKey, Revoked, KeysUnavailable):
            return None

    def load(self) -> bool:
        """Fetch now unless there are keys; true if there are some then."""
        self._keep_fresh(wait=True)
        return self.usable

    @property
    def usable(self) -> bool:
        """There are keys, and they are not too old."""
        return self._monotonic() <= self._usable_until

    def _keep_fresh(self, wait: bool) -> None:
        now = self._monotonic()
        if now <= self._usable_until:
            if now >= self._refresh_at:
                self._refresh_in_background(now)
        elif now >= self._refresh_at or self._flight is not None:
            self._wait_for_fetch(wait)

    def _look_for_unknown(self, wait: bool) -> None:
        """A new key, perhaps. Made-up names cost the issuer one request in COOLDOWN."""
        with self._lock:
            now = self._monotonic()
            resting = now < max(self._unknown_at + COOLDOWN, self._failed_at + RETRY_AFTER)
            if resting and self._flight is None:
                return
            if self._waiting >= MAX_WAITING:
                raise Overloaded(detail="too many requests wait for the issuer's keys")
            if wait:
                self._waiting += 1
                self._unknown_at = self._unknown_at if resting else now
        try:
            self._wait_for_fetch(wait)
        finally:
            if wait:
                with self._lock:
                    self._waiting -= 1

    def _refuse_unknown(self) -> NoReturn:
        if self._failed_at > self._fetched_at:  # the newest keys could not be had: it may be among them
            raise KeysUnavailable(detail=self._failure, retry_after=round(RETRY_AFTER))
        raise UnknownKey

    # -- fetching -----------------------------------------------------------------------------

    def _refresh_in_background(self, now: float) -> None:
        self._refresh_at = now + RETRY_AFTER
        threading.Thread(target=self._fetch_or_join, name="verifier-jwks", daemon=True).start()

    def _wait_for_fetch(self, wait: bool) -> None:
        if not wait:
            raise MustWait
        self._fetch_or_join()

    def _fetch_or_join(self) -> None:
        """Back when a fetch that was under way, or a new one, is done: well or badly."""
        with self._lock:
            other = self._flight
            mine: Future[None] = Future()
            if other is None:
                self._flight = mine
        if other is not None:
            with suppress(WaitedTooLong):
                other.result(timeout=2 * DEADLINE)
            return
        try:
            self._fetch()
        finally:
            self._flight = None
            mine.set_result(None)

    def _fetch(self) -> None:
        started = self._monotonic()
        self.fetches += 1
        try:
            keys = parse_jwks(self._ask(), self._issuer, self._algorithms, known=self._keys)
        except (Unreachable, UnusableKeys, TransportError) as error:
            self._failed(f"JWKS: {error}")
            return
        self._troubles.over("keys")
        with self._lock:
            self._keys = self._without_dropped(keys)
        self._fetched_at = started
        self._usable_until = started + MAX_AGE
        # Not all services of a site at the same moment.
        self._refresh_at = started + REFRESH_AFTER * random.uniform(0.8, 1.0)  # noqa: S311 (nothing secret)

    def _failed(self, failure: str) -> None:
        self.failures += 1
        self._failure = failure
        self._failed_at = self._monotonic()
        self._refresh_at = self._failed_at + RETRY_AFTER
        self._usable_until = self._fetched_at + STALE_BOUND
        self._discovery.doubt()
        self._troubles.arose("keys", f"the issuer's keys cannot be had: {failure}")

    def _ask(self) -> bytes:
        url = self._discovery.get().jwks_uri
        # From the issuer itself: how old the copy is counts from the request.
        headers = {"Accept": "application/jwk-set+json, application/json", "Cache-Control": "no-cache"}
        response = self._transport.get(url, limit=MAX_JWKS, headers=headers, deadline=DEADLINE)
        return json_answer(response, "application/json", "application/jwk-set+json")
