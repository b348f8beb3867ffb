"""Who is told when: many at once, few of one receiver, so that one that is slow or down keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from authserver import telemetry
from authserver.model.logout import LogoutDelivery
from authserver.model.time import MINUTE, SECOND, Duration, Instant
from authserver.oauth.backchannel_logout import BackchannelLogout, Outcome
from authserver.storage.interface import StorageUnavailable
from authserver.telemetry import LOGOUTS_WAITING

AT_ONCE: Final = 256
"""Deliveries that a process has taken on; the rest waits in the database."""
OF_ONE_HOST: Final = 4
LINE: Final = 32
"""Deliveries that may wait for their host to have a hand free; they must be through before the lease is over."""
LEASE: Final[Duration] = 2 * MINUTE
POLL_SECONDS: Final = 2.0
BATCH: Final = 200
SHORTEST_SILENCE: Final[Duration] = 5 * SECOND
LONGEST_SILENCE: Final[Duration] = 5 * MINUTE

_log = telemetry.logger("authserver.logout")


@dataclass(slots=True)
class Host:
    """A receiver as this process has met it."""

    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OF_ONE_HOST))
    line: int = 0
    failures: int = 0
    silent_until: Instant = 0

    def met(self, outcome: Outcome, now: Instant) -> None:
        """After each silence it is left alone for twice as long; one answer, whatever it says, and all is well."""
        if outcome != "silent":
            self.failures = 0
            return
        if now >= self.silent_until:  # those that were under way together have failed once
            self.failures += 1
            self.silent_until = now + min(SHORTEST_SILENCE << min(self.failures - 1, 10), LONGEST_SILENCE)


@dataclass(slots=True)
class LogoutQueue:
    service: BackchannelLogout
    lease: Duration = LEASE
    _hosts: dict[str, Host] = field(default_factory=dict)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Somebody was logged out."""
        self._wake.set()

    async def run(self) -> None:
        """For ever; raises StorageUnavailable. What was under way is repeated once its lease is over."""
        try:
            while True:
                self._wake.clear()
                await self.step()
                await self._pause()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def step(self) -> None:
        """Take on what is due, as far as there are hands for it."""
        store, now = self.service.store, self.service.now
        waiting = await store.waiting()
        LOGOUTS_WAITING.set(waiting)
        if not waiting:
            return
        while await store.expand(limit=BATCH, now=now()):
            pass
        free = AT_ONCE - len(self._running)
        for delivery in await store.due(now=now(), lease=self.lease, limit=free) if free else ():
            task = asyncio.create_task(self._one(delivery))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def settled(self) -> None:
        """Until nothing is under way."""
        while self._running:
            await asyncio.gather(*self._running)

    async def _pause(self) -> None:
        if len(self._running) >= AT_ONCE:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS * random.uniform(0.75, 1.25)):  # noqa: S311 (jitter)
                await self._wake.wait()

    async def _one(self, delivery: LogoutDelivery) -> None:
        try:
            await self._in_turn(delivery)
        except StorageUnavailable:
            pass  # its lease ends, and it comes again
        except Exception:  # noqa: BLE001 - one delivery that breaks must not stop the others
            _log.exception("telling a client of a log-out broke", client_id=delivery.client_id)

    async def _in_turn(self, delivery: LogoutDelivery) -> None:
        name = urlsplit(delivery.uri).netloc.lower()
        host = self._hosts.setdefault(name, Host())
        if self._must_wait(host):
            await self.service.postpone(delivery, self._later(host))
            return
        host.line += 1
        try:
            async with host.gate:
                if self._must_wait(host, entering=False):  # it fell silent while this one stood in line
                    await self.service.postpone(delivery, self._later(host))
                    return
                host.met(await self.service.deliver(delivery), self.service.now())
        finally:
            host.line -= 1
            if not host.line and not host.failures:
                self._hosts.pop(name, None)

    def _must_wait(self, host: Host, *, entering: bool = True) -> bool:
        return host.silent_until > self.service.now() or (entering and host.line >= LINE)

    def _later(self, host: Host) -> Instant:
        start = max(host.silent_until, self.service.now() + SECOND)
        return start + int(random.uniform(0, 5 * SECOND))  # noqa: S311 (jitter)
