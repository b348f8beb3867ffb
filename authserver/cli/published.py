"""Where a revocation made at the command line stands in the log, and what that means for resource servers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authserver.model.revocation import RevocationOutcome
    from authserver.services import Services

ATTEMPTS = 100
PAUSE = 0.02

FOLLOWED = (
    "This server refuses it from now on, and so do resource servers that follow the revocation feed, within a "
    "second. A service that only checks signatures keeps accepting an access token until it expires; have it use "
    "authserver.verifier, or ask POST /introspect."
)


def following(sequence: int | None) -> str:
    """What has come of a revocation, for people."""
    if sequence is None:
        return FOLLOWED
    return f"{FOLLOWED} It is number {sequence} of the log: authserver resource-servers list --behind {sequence}"


async def sequence_of(services: Services, outcome: RevocationOutcome) -> int | None:
    """Its place in the log, moved there by this process if no server has done it; None if it wrote nothing, or the
    database went away meanwhile: it is revoked either way."""
    from authserver.storage.interface import StorageUnavailable

    if outcome.outbox_id is not None:
        with suppress(StorageUnavailable):
            return await _published(services, outcome.outbox_id)
    return None


async def _published(services: Services, outbox_id: int) -> int | None:
    from authserver.revocation.records import Composer

    log, compose = services.log_store, Composer(services.issuer)
    for _ in range(ATTEMPTS):
        sequence = await log.sequence_of(outbox_id)
        if sequence is not None:
            return sequence
        if await log.extend(compose, now=services.now, limit=1024) is None:
            await asyncio.sleep(PAUSE)
    return None
