"""The life of signing keys: announced -> active -> retired -> removed, or revoked at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.clock import Clock
from authserver.model.audit import SYSTEM, AuditEvent, Caller
from authserver.model.errors import Conflict
from authserver.model.key import SigningKey
from authserver.model.time import DAY, MINUTE, SECOND, Duration, Instant
from authserver.storage.interface import KeyStore
from authserver.tokens.algorithms import ALGORITHMS, ALLOWED_BITS, RS256
from authserver.tokens.keyring import ActiveKey, KeyRing, NoSigningKey, Snapshot
from authserver.tokens.masterkey import MasterKey
from authserver.tokens.signingkey import make_signing_key


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPolicy:
    """When keys change. Raises ValueError for a plan under which a token could meet a verifier without its key."""

    algorithms: tuple[str, ...] = (RS256,)
    """For which keys are made and kept rotating, each on its own schedule; RS256 is always among them."""
    bits: int = 2048
    """Of new RSA keys."""
    interval: Duration = 90 * DAY
    """From one key's activation to the next one's."""
    announce_before: Duration = DAY
    """How long a key is published before it signs."""
    access_token_ttl: Duration = 5 * MINUTE
    """The longest life of a token."""
    publish_after: Duration | None = None
    """How long a retired key stays published; None: as long as its last token can live, and the caches."""
    jwks_cache: Duration = 15 * MINUTE
    """How old a resource server's copy of the key set may be: 5 minutes of HTTP cache, 10 of common libraries."""

    def __post_init__(self) -> None:
        if RS256 not in self.algorithms or not ALGORITHMS.keys() >= set(self.algorithms):
            raise ValueError(f"signing algorithms are {RS256} and any of {', '.join(ALGORITHMS)}")
        if self.bits not in ALLOWED_BITS:
            raise ValueError(f"signing keys have {', '.join(map(str, ALLOWED_BITS))} bits, not {self.bits}")
        if self.access_token_ttl < SECOND:
            raise ValueError("the access token lifetime must be at least one second")
        if self.announce_before < self.jwks_cache:
            raise ValueError(
                f"keys must be announced at least {_seconds(self.jwks_cache)} before they sign, "
                f"as long as caches of the key set live; {_seconds(self.announce_before)} is too short"
            )
        if self.interval <= self.announce_before:
            raise ValueError(
                f"the key rotation interval ({_seconds(self.interval)}) must be longer than the time "
                f"that keys are announced before they sign ({_seconds(self.announce_before)})"
            )
        if self.interval < self.access_token_ttl:
            raise ValueError(
                f"access tokens ({_seconds(self.access_token_ttl)}) would outlive the period of the key "
                f"that signs them ({_seconds(self.interval)})"
            )
        if self.published_after_retirement < self.access_token_ttl + MINUTE:
            raise ValueError(
                f"access tokens ({_seconds(self.access_token_ttl)}) would outlive their key, which leaves the "
                f"key set {_seconds(self.published_after_retirement)} after it stopped signing"
            )

    @property
    def published_after_retirement(self) -> Duration:
        if self.publish_after is None:
            return self.access_token_ttl + self.jwks_cache
        return self.publish_after


@dataclass(frozen=True, slots=True)
class KeyRotation:
    """Moves keys along. Every step is one atomic verb of the store, so any number of instances may run it."""

    store: KeyStore
    master: MasterKey
    ring: KeyRing
    policy: RotationPolicy
    now: Clock
    caller: Caller = SYSTEM

    async def ensure_keys(self) -> None:
        """See to it that a key signs, for each algorithm: where there is none yet, make one at once. Many may race;
        one key comes of it.

        Raises MasterKeyError before anything is written when the stored keys are under another master key.
        """
        await self.ring.load()
        for algorithm in self.policy.algorithms:
            if algorithm not in self.ring.snapshot.signers:
                await self._first_key(algorithm)

    async def _first_key(self, algorithm: str) -> None:
        announced = self.ring.snapshot.in_state("announced", algorithm)
        if announced is not None:
            await self._activate(announced, None, self.now(), self.caller)
        else:
            key = _signing_now(await self._make(algorithm), self.now())
            event = self._event(EventType.KEY_ACTIVATED, self.caller, key)
            await self.store.replace_now(key, instead_of=None, at=key.created_at, reason="first key", event=event)
        await self.ring.load()
        if algorithm not in self.ring.snapshot.signers:
            raise NoSigningKey("No signing key is active.", detail=f"none could be activated for {algorithm}")

    async def tick(self) -> None:
        """Do what is due: announce, activate, remove. Free when nothing is."""
        due = any(map(self._is_due, self.policy.algorithms))
        if not due and not _removable(self.ring.snapshot, self.now()):
            return
        await self.ring.load()  # another instance may have been first
        for algorithm in self.policy.algorithms:
            await self._move_along(algorithm)
        if _removable(self.ring.snapshot, self.now()):
            await self.store.purge(now=self.now())
            await self.ring.load()

    async def _move_along(self, algorithm: str) -> None:
        snapshot, now = self.ring.snapshot, self.now()
        active, announced = snapshot.in_state("active", algorithm), snapshot.in_state("announced", algorithm)
        if active is None:
            await self.ensure_keys()
        elif announced is None and now >= self._announcement_due(active):
            active_at = max(self._succession_due(active), now + self.policy.announce_before)
            await self._announce(algorithm, active_at, self.caller, "")
        elif announced is not None and _may_sign(announced, now):
            await self._activate(announced, active.kid, now, self.caller)
            await self.ring.load()

    def _is_due(self, algorithm: str) -> bool:
        snapshot, now = self.ring.snapshot, self.now()
        active, announced = snapshot.in_state("active", algorithm), snapshot.in_state("announced", algorithm)
        if active is None:
            return True
        return now >= self._announcement_due(active) if announced is None else _may_sign(announced, now)

    def _succession_due(self, active: SigningKey) -> Instant:
        return (active.active_at or active.created_at) + self.policy.interval

    def _announcement_due(self, active: SigningKey) -> Instant:
        return self._succession_due(active) - self.policy.announce_before

    async def rotate(
        self, *, algorithm: str = RS256, now: bool = False, caller: Caller, reason: str = ""
    ) -> SigningKey:
        """Begin a rotation by hand; returns the key that signs, or (without `now`) will sign.

        now: the next key signs at once, and the one before stays published for its tokens. Resource servers
        whose copy of the key set is old refuse its tokens until they fetch it again.
        Raises Conflict when another instance did the same thing first, and for an algorithm that is not in use.
        """
        if algorithm not in self.policy.algorithms:
            raise Conflict(f"keys for {algorithm} are not made here: SIGNING_ALGORITHMS does not name it")
        await self.ring.load()
        announced = self.ring.snapshot.in_state("announced", algorithm)
        if announced is None:
            announced = await self._announce(algorithm, self.now() + self.policy.announce_before, caller, reason)
        if not now:
            return announced
        return await self._activate_at_once(announced, caller, reason)

    async def retire(self, key: SigningKey, *, caller: Caller, reason: str = "") -> None:
        """The active key signs no more and stays published for its tokens. Another one takes over at once, unless its
        algorithm is no longer in use. Raises Conflict as `rotate` does."""
        if key.algorithm in self.policy.algorithms:
            await self.rotate(algorithm=key.algorithm, now=True, caller=caller, reason=reason)
            return
        now = self.now()
        event = self._event(EventType.KEY_RETIRED, caller, key, reason)
        await self.store.give_up(key.kid, at=now, remove_at=now + self.policy.published_after_retirement, event=event)
        await self.ring.load()

    async def withdraw(self, kid: str, *, caller: Caller, reason: str = "") -> bool:
        """An emergency: a key made this moment signs instead of `kid`; that one, and one that was already announced for
        the same algorithm, are revoked, and every token they signed is refused. Asked by `Revoker.revoke`, which tells
        everybody.

        False, with nothing changed, if another key signs by then: two people who withdraw the same key at
        once withdraw one key.
        """
        await self.ring.load()
        active = next((key for key in self.ring.snapshot.signers.values() if key.kid == kid), None)
        return active is not None and await self._replace(active, caller, reason)

    async def _announce(self, algorithm: str, active_at: Instant, caller: Caller, reason: str) -> SigningKey:
        key = replace(await self._make(algorithm), active_at=active_at)
        event = self._event(EventType.KEY_ANNOUNCED, caller, key, reason, active_at=active_at)
        await self.store.add_announced(key, event=event)
        await self.ring.load()
        announced = self.ring.snapshot.in_state("announced", algorithm)  # ours, or that of whoever was first
        if announced is None:
            raise Conflict("The announced key was changed by somebody else; look again.")
        return announced

    async def _activate_at_once(self, announced: SigningKey, caller: Caller, reason: str) -> SigningKey:
        active = self.ring.snapshot.in_state("active", announced.algorithm)
        done = await self._activate(announced, active.kid if active else None, self.now(), caller, reason)
        await self.ring.load()
        return self._stored(announced.kid, done)

    async def _activate(
        self, key: SigningKey, instead_of: str | None, at: Instant, caller: Caller, reason: str = ""
    ) -> bool:
        event = self._event(EventType.KEY_ACTIVATED, caller, key, reason, instead_of=instead_of)
        remove_at = at + self.policy.published_after_retirement
        return await self.store.activate(key.kid, instead_of=instead_of, at=at, remove_at=remove_at, event=event)

    async def _replace(self, withdrawn: ActiveKey, caller: Caller, reason: str) -> bool:
        key = _signing_now(await self._make(withdrawn.algorithm), self.now())
        event = AuditLog(self.now).event(
            EventType.KEY_REVOKED, caller, kid=withdrawn.kid, replaced_by=key.kid, reason=reason or None
        )
        done = await self.store.replace_now(
            key, instead_of=withdrawn.kid, at=key.created_at, reason=reason or "revoked", event=event
        )
        await self.ring.load()
        return done

    def _stored(self, kid: str, done: bool) -> SigningKey:
        key = next((key for key in self.ring.snapshot.keys if key.kid == kid), None)
        if not done or key is None:
            raise Conflict("The signing key was changed by somebody else at the same time; look again.")
        return key

    async def _make(self, algorithm: str) -> SigningKey:
        # In a thread: finding primes takes longer than a request may wait.
        return await asyncio.to_thread(make_signing_key, self.policy.bits, self.master, self.now(), algorithm)

    def _event(self, type: EventType, caller: Caller, key: SigningKey, reason: str = "", **more: Any) -> AuditEvent:
        about: dict[str, Any] = {"kid": key.kid, "algorithm": key.algorithm, "reason": reason or None, **more}
        return AuditLog(self.now).event(type, caller, **about)


def _signing_now(key: SigningKey, at: Instant) -> SigningKey:
    return replace(key, state="active", active_at=at)


def _may_sign(announced: SigningKey, now: Instant) -> bool:
    return announced.active_at is None or announced.active_at <= now


def _removable(snapshot: Snapshot, now: Instant) -> bool:
    return any(key.remove_at is not None and key.remove_at <= now for key in snapshot.keys)


def _seconds(duration: Duration) -> str:
    return f"{duration // SECOND} s"
