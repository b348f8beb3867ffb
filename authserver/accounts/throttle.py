"""Slow down whoever guesses passwords, without locking out whoever owns the account.

Attempts are counted in buckets, the first of which that has room admits:

1. account, from its devices: the browser holds a signed cookie from a successful log-in to this account;
2. account and address: this address logged in to this account not long ago;
3. account, from anywhere else.

A flood from elsewhere empties only the third, so the owner still gets in from a known device or address.
All devices of an account share one bucket, so that collecting their cookies gives no more guesses.

Failures are also counted per address (an IPv6 network counts as one, see `addresses`), which stops one password
tried on many accounts; a known device is let in nevertheless, so that a neighbour behind the same NAT cannot lock
it out, but its failures count.
Accounts that do not exist are throttled like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Final

from authserver.accounts.addresses import AddressGate, Passage
from authserver.accounts.errors import LoginThrottled
from authserver.clock import Clock
from authserver.model.time import DAY, MINUTE, SECOND, Duration
from authserver.storage.interface import Cache, ThrottleStore

IPV6_NETWORK_BITS: Final = 64
"""What one customer is given at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottlePolicy:
    """`burst` attempts at once, then one per `interval`."""

    account_burst: int = 10
    account_interval: Duration = MINUTE
    known_burst: int = 20
    known_interval: Duration = 30 * SECOND
    address_limit: int = 100
    """Failures from one address, whatever the account ..."""
    address_window: Duration = 10 * MINUTE
    """... within this time, and for so long nothing more is admitted from there."""
    address_parallel: int = 20
    """Log-ins from one address that are checked at the same time; the others wait for their turn ..."""
    max_waiting: int = 1000
    """... up to so many, from all addresses."""
    address_known_for: Duration = 30 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One counted attempt; say how it went to `succeeded`, `failed` or `released`, and in any case `left`."""

    user_key: str = field(repr=False)
    network: str
    bucket: bytes
    interval: Duration
    passage: Passage = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Bucket:
    name: str
    key: bytes
    burst: int
    interval: Duration


@dataclass(frozen=True, slots=True)
class LoginThrottle:
    store: ThrottleStore
    cache: Cache
    policy: ThrottlePolicy
    now: Clock
    _gate: AddressGate = field(init=False, repr=False)

    def __post_init__(self) -> None:
        policy = self.policy
        gate = AddressGate(
            cache=self.cache,
            now=self.now,
            limit=policy.address_limit,
            window=policy.address_window,
            parallel=policy.address_parallel,
            max_waiting=policy.max_waiting,
        )
        object.__setattr__(self, "_gate", gate)

    async def admit(self, user_key: str, address: str, device: bytes | None) -> Admission:
        """Count an attempt on an account, once it is its turn; raises LoginThrottled, TemporarilyUnavailable.

        `device` is what the device cookie proved.
        """
        network = network_of(address)
        passage = await self._enter(network) if device is None else Passage()
        try:
            bucket = await self._first_with_room(await self._buckets(user_key, network, device))
        except BaseException:  # also when the caller gives up: the next one waits for this turn
            passage.leave()
            raise
        return Admission(
            user_key=user_key, network=network, bucket=bucket.key, interval=bucket.interval, passage=passage
        )

    async def succeeded(self, admission: Admission) -> None:
        """It was the owner: the attempt does not count, and the address is known from now on."""
        try:
            await self.store.refund(admission.bucket, interval=admission.interval)
            key = _known_key(admission.user_key, admission.network)
            await self.cache.set(key, b"1", ttl=self.policy.address_known_for)
        finally:
            self.left(admission)

    async def failed(self, admission: Admission) -> None:
        """Count it against the address; an address that fails too often is closed for a while."""
        try:
            await self._gate.failed(admission.network)
        finally:
            self.left(admission)

    async def released(self, admission: Admission) -> None:
        """The attempt was never decided (the server could not): it does not count."""
        try:
            await self.store.refund(admission.bucket, interval=admission.interval)
        finally:
            self.left(admission)

    def left(self, admission: Admission) -> None:
        """The next one from this address may be checked; said twice, it is said once."""
        admission.passage.leave()

    async def _enter(self, network: str) -> Passage:
        passage = await self._gate.enter(network)
        if passage is None:
            window = self.policy.address_window
            wait = await self._gate.closed_for(network) or window
            raise await self._throttled(wait, _Bucket("network", network.encode(), 0, window))
        return passage

    async def _first_with_room(self, buckets: list[_Bucket]) -> _Bucket:
        waits: list[tuple[Duration, _Bucket]] = []
        for bucket in buckets:
            wait = await self.store.admit(bucket.key, burst=bucket.burst, interval=bucket.interval, now=self.now())
            if wait == 0:
                return bucket
            waits.append((wait, bucket))
        raise await self._throttled(*min(waits, key=lambda item: item[0]))

    async def _buckets(self, user_key: str, network: str, device: bytes | None) -> list[_Bucket]:
        known = await self.cache.get(_known_key(user_key, network)) is not None
        return list(self._narrowest_first(user_key, network if known else None, device))

    def _narrowest_first(self, user_key: str, network: str | None, device: bytes | None) -> Iterator[_Bucket]:
        policy = self.policy
        if device is not None:
            key = _key(b"device", user_key.encode())
            yield _Bucket("device", key, policy.known_burst, policy.known_interval)
        if network is not None:
            key = _key(b"address", user_key.encode(), network.encode())
            yield _Bucket("address", key, policy.known_burst, policy.known_interval)
        yield _Bucket("account", _key(b"account", user_key.encode()), policy.account_burst, policy.account_interval)

    async def _throttled(self, wait: Duration, bucket: _Bucket) -> LoginThrottled:
        key = f"login:throttled:{_key(bucket.name.encode(), bucket.key).hex()}"
        refusals = await self.cache.count(key, window=max(bucket.interval, MINUTE))
        return LoginThrottled(retry_after=-(-wait // SECOND), bucket=bucket.name, first=refusals == 1)


def network_of(address: str) -> str:
    """The part of an address that one guesser can hardly change: IPv4 whole, IPv6 without its last 64 bits."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    host_bits = 128 - IPV6_NETWORK_BITS
    return f"{IPv6Address(int(parsed) >> host_bits << host_bits)}/{IPV6_NETWORK_BITS}"


def _key(*parts: bytes) -> bytes:
    """A fixed length and no names at rest; parts cannot run into each other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()


def _known_key(user_key: str, network: str) -> str:
    return f"login:known:{_key(user_key.encode(), network.encode()).hex()}"
