"""Where a revocation stands in the log, in the answer to whoever asked for it.

`Prefer: wait=N` (RFC 7240 section 4.3) has the answer wait until it is published, so that a caller can rely on resource
servers learning of it from now on. Without it the answer waits a moment only: the revocation holds either way.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from typing import NamedTuple, Protocol

from starlette.requests import Request

from authserver.model.revocation import RevocationOutcome
from authserver.web.connection import under

SEQUENCE_HEADER = "Revocation-Seq"
PATIENCE = 1.0
"""Seconds that an answer waits for the number when nobody said how long."""
LONGEST_WAIT = 30

_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?:;.*)?", re.IGNORECASE)


class Publishes(Protocol):
    """`revocation.publication.Publication`."""

    async def sequence_of(self, outbox_id: int, *, wait: float) -> int | None: ...


class Published(NamedTuple):
    sequence: int | None
    """None: it wrote nothing to the log, or is not published yet."""
    headers: dict[str, str]


async def published(publication: Publishes, request: Request, outcome: RevocationOutcome | None) -> Published:
    """What the answer says; waits for it."""
    preferred = preferred_wait(request)
    headers = {} if preferred is None else {"Preference-Applied": f"wait={preferred}"}
    if outcome is None or outcome.outbox_id is None:
        return Published(None, headers)
    wait = PATIENCE if preferred is None else preferred
    sequence = await _unless_leaving(request, publication.sequence_of(outcome.outbox_id, wait=wait))
    if sequence is not None:
        headers[SEQUENCE_HEADER] = str(sequence)
    return Published(sequence, headers)


def preferred_wait(request: Request) -> int | None:
    """Seconds; the first `wait` counts, what is no number is as if it were not there (RFC 7240 section 2)."""
    for header in request.headers.getlist("prefer"):
        for preference in header.split(","):
            match = _WAIT.fullmatch(preference)
            if match:
                return min(int(match[1]), LONGEST_WAIT)
    return None


async def _unless_leaving(request: Request, asked: Coroutine[object, object, int | None]) -> int | None:
    """A server that leaves does not keep an answer back for a number."""
    connection = under(request.scope)
    if connection is None:
        return await asked
    waiting = asyncio.ensure_future(asked)
    connection.watch(on_end=waiting.cancel, on_room=lambda: None)
    try:
        return await waiting
    except asyncio.CancelledError:
        if connection.is_over:
            return None
        raise
    finally:
        connection.unwatch()
