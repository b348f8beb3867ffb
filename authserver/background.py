"""The jobs that run beside the app: following changes, rotating keys, deleting what is over, and their gauges.

They are started with the services and cancelled before those are closed. A job that breaks is started again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from time import monotonic_ns

from authserver import telemetry
from authserver.model.time import SECOND
from authserver.revocation.follower import LogFollower
from authserver.services import Services
from authserver.settings import Settings
from authserver.storage import channels
from authserver.storage.interface import StorageUnavailable

POLL_ALONE = 0.1
"""Seconds between two looks at the configuration's version when nothing else would tell of a change."""
POLL_WITH_BUS = 1.0
RETRY_SECONDS = 0.25
ROTATION_SECONDS = 30.0
ANCHOR_SECONDS = 60.0
GAUGE_SECONDS = 1.0
WITNESS_SECONDS = 1.0
SNAPSHOT_SECONDS = 5.0
COUNT_SECONDS = 10.0

_log = telemetry.logger("authserver.background")


def jobs_of(settings: Settings, services: Services) -> dict[str, Callable[[], Awaitable[None]]]:
    follower = Follower(services, bus_reaches_others=settings.redis_url is not None)
    register_gauges(services, follower)
    register_log_gauges(services.log.follower)
    jobs: dict[str, Callable[[], Awaitable[None]]] = {
        "follow": follower.run,
        "rotate keys": lambda: every(ROTATION_SECONDS, services.rotation.tick),
        "purge": lambda: every(settings.purge_interval / SECOND, lambda: purge(services)),
        "anchor clock": lambda: every(ANCHOR_SECONDS, lambda: anchor_clock(services)),
    }
    for channel in channels.ALL:
        jobs[f"listen to {channel}"] = partial(follower.listen, channel)
    jobs |= log_jobs(services)
    jobs["tell of log-outs"] = services.logout_queue.run
    jobs["listen for log-outs"] = lambda: listen_for_logouts(services)
    if telemetry.MULTIPROCESS:
        jobs["gauges"] = lambda: every(GAUGE_SECONDS, write_gauges)
    return jobs


@dataclass(slots=True)
class Follower:
    """Keeps this process's copies of clients and keys as new as the database's configuration version."""

    services: Services
    bus_reaches_others: bool
    _seen: int | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        while True:
            self._wake.clear()
            await self.look()
            # Not wait_for: on Python 3.11 it swallows a cancellation that meets the wake-up, and the job never ends.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval()):
                    await self._wake.wait()

    async def listen(self, channel: str) -> None:
        async for _ in self.services.bus.subscribe(channel):
            self._wake.set()

    async def look(self) -> None:
        version = await self.services.maintenance.config_version()
        if version != self._seen:
            self.services.client_cache.invalidate()
            await self.services.keys.load()
            self._seen = version
        self.services.client_cache.confirm()

    def _interval(self) -> float:
        return POLL_WITH_BUS if self.bus_reaches_others and self.services.bus.connected else POLL_ALONE


def log_jobs(services: Services) -> dict[str, Callable[[], Awaitable[None]]]:
    return {
        "follow the log": lambda: follow_log(services),
        "listen for the log": lambda: listen_for_log(services),
        "keep a witness": lambda: every(WITNESS_SECONDS, lambda: keep_witness(services)),
        "make snapshots": lambda: every(SNAPSHOT_SECONDS, lambda: make_snapshot(services)),
        "count resource servers": lambda: every(COUNT_SECONDS, lambda: count_resource_servers(services)),
    }


async def follow_log(services: Services) -> None:
    await services.log.witness.recall()
    await services.log.follower.run()


async def listen_for_log(services: Services) -> None:
    async for _ in services.bus.subscribe(channels.REVOCATIONS):
        services.log.follower.wake()


async def listen_for_logouts(services: Services) -> None:
    async for _ in services.bus.subscribe(channels.REVOCATIONS):
        services.logout_queue.wake()


async def keep_witness(services: Services) -> None:
    follower = services.log.follower
    if follower.fault is None:
        await services.log.witness.keep(follower.signed)


async def make_snapshot(services: Services) -> None:
    await services.log.snapshots.run_once()


async def count_resource_servers(services: Services) -> None:
    head = await services.log_store.head()
    counts = await services.resource_servers.counts(head.log, head.seq, now=services.now())
    for state in ("current", "behind", "silent"):
        telemetry.RESOURCE_SERVERS.labels(state).set(getattr(counts, state))
    telemetry.RESOURCE_SERVER_MAX_LAG.set(counts.max_lag)


async def purge(services: Services) -> None:
    for table, rows in (await services.purge.run_once()).items():
        telemetry.PURGED.labels(table).inc(rows)
    telemetry.PURGED.labels("resource_servers").inc(await services.applied.forget_silent())
    telemetry.PURGED.labels("unused_clients").inc(await services.client_usage.expire())


async def anchor_clock(services: Services) -> None:
    started = monotonic_ns()
    correction = services.now.anchor(await services.maintenance.now(), monotonic_ns() - started)
    if abs(correction) > SECOND:
        _log.warning("clock corrected by the database's", milliseconds=correction)


async def write_gauges() -> None:
    telemetry.refresh_gauges()


def register_gauges(services: Services, follower: Follower) -> None:
    telemetry.gauge("authserver_bus_connected", "1 while the bus delivers", lambda: float(services.bus.connected))
    telemetry.gauge(
        "authserver_config_age_seconds",
        "Since clients and keys were last confirmed",
        lambda: min(services.client_cache.age, 1e9),
    )
    telemetry.gauge(
        "authserver_password_queue", "Passwords waiting to be hashed", lambda: float(services.passwords.pending)
    )
    telemetry.gauge(
        "authserver_signing_key_age_seconds", "Since the active key began to sign", lambda: signing_key_age(services)
    )


def register_log_gauges(follower: LogFollower) -> None:
    telemetry.gauge("authserver_log_seq", "The last record of the revocation log", lambda: float(follower.seq))
    telemetry.gauge(
        "authserver_log_checkpoint_age_seconds",
        "Since the moment up to which the newest checkpoint vouches for the log",
        lambda: min(follower.age, 1e9),
    )
    telemetry.gauge("authserver_log_pending", "1 while revocations wait to be logged", lambda: float(follower.pending))
    telemetry.gauge(
        "authserver_log_fork",
        "1 while no checkpoints are signed because the database lost commits",
        lambda: float(follower.fault is not None),
    )


def signing_key_age(services: Services) -> float:
    key = services.keys.snapshot.in_state("active")
    return (services.now() - (key.active_at or key.created_at)) / SECOND if key else float("nan")


# -- running jobs -------------------------------------------------------------------------------


@asynccontextmanager
async def background(jobs: dict[str, Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Run them beside the body; cancelled and awaited at its end."""
    tasks = [asyncio.create_task(supervised(name, job), name=name) for name, job in jobs.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def supervised(name: str, job: Callable[[], Awaitable[None]]) -> None:
    """A job that breaks is started again: a server must not silently go on without it."""
    down = False
    while True:
        try:
            await job()
        except StorageUnavailable as error:
            if not down:
                _log.warning("waiting for the database", job=name, error=str(error))
            down = True
        except Exception:  # noqa: BLE001 - whatever broke it, it is started again
            _log.exception("job broke; starting it again", job=name)
            await asyncio.sleep(1)
        await asyncio.sleep(RETRY_SECONDS * random.uniform(0.75, 1.25))  # noqa: S311 - jitter


async def every(seconds: float, step: Callable[[], Awaitable[None]]) -> None:
    """Run `step` again and again; jittered, so that many processes do not do it at the same moment."""
    while True:
        await asyncio.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        await step()
