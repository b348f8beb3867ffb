"""Is it alive, may it get traffic, what does it do: for load balancers, orchestrators and Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from authserver import telemetry
from authserver.storage.interface import MaintenanceStore, StorageUnavailable
from authserver.tokens.keyring import KeyRing
from authserver.web.answers import NO_STORE

CHECK_SECONDS = 2.0

Check: TypeAlias = Callable[[], Awaitable[str | None]]
"""What is wrong, in words that may be public; None when nothing is."""


@dataclass(frozen=True, slots=True)
class HealthEndpoint:
    """GET /healthz: 200 as long as the process answers at all; restart it if it does not."""

    async def get(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=NO_STORE)


@dataclass(frozen=True, slots=True)
class ReadyEndpoint:
    """GET /readyz: 200 when requests can be served in full, else 503 and the checks that fail."""

    checks: Mapping[str, Check]

    async def get(self, request: Request) -> Response:
        faults = await asyncio.gather(*(_ask(check) for check in self.checks.values()))
        results = {name: fault or "ok" for name, fault in zip(self.checks, faults, strict=True)}
        if not any(faults):
            return JSONResponse({"status": "ready", "checks": results}, headers=NO_STORE)
        return JSONResponse({"status": "not ready", "checks": results}, 503, headers={**NO_STORE, "Retry-After": "1"})


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:.0f} s"
    except Exception as error:  # noqa: BLE001 - a check that breaks is a check that fails
        return type(error).__name__


@dataclass(frozen=True, slots=True)
class MetricsEndpoint:
    """GET /metrics: the Prometheus text format. Keep it from the public in the reverse proxy."""

    async def get(self, request: Request) -> Response:
        return Response(
            telemetry.render_metrics(), media_type="text/plain; version=0.0.4; charset=utf-8", headers=NO_STORE
        )


MAX_FOLLOWER_AGE = 5.0
"""Seconds without a look at the configuration's version, or at the log, after which a server should get no traffic."""


class Aged(Protocol):
    @property
    def age(self) -> float: ...


class Heard(Protocol):
    @property
    def silence(self) -> float: ...


def readiness(
    maintenance: MaintenanceStore, keys: KeyRing, follower: Aged, feed: Heard, log_fault: Callable[[], str | None]
) -> dict[str, Check]:
    """The checks of /readyz, by name."""

    async def database() -> str | None:
        try:
            await maintenance.ping()
        except StorageUnavailable:
            return "does not answer"
        return None

    async def schema() -> str | None:
        state = await maintenance.schema_state()
        return None if state in ("current", "ahead") else f"{state}: run authserver migrate"

    async def signing_key() -> str | None:
        return None if keys.snapshot.signing else "no key is active"

    async def config() -> str | None:
        return None if follower.age < MAX_FOLLOWER_AGE else "not confirmed for some seconds"

    async def revocation_log() -> str | None:
        return log_fault() or (None if feed.silence < MAX_FOLLOWER_AGE else "no checkpoint was signed for some seconds")

    return {
        "database": database,
        "schema": schema,
        "signing_key": signing_key,
        "config": config,
        "revocation_log": revocation_log,
    }
