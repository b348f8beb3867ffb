"""Where a revocation stands in the log, for callers that wait for its effect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from authserver.revocation.feed import Feed
from authserver.storage.interface import StorageUnavailable

FIRST_LOOK = 0.02
"""Seconds after which the log is asked although nothing was heard of it: another process may have been quicker."""
LONGEST_PAUSE = 0.5


class SequenceOf(Protocol):
    """`LogStore.sequence_of`."""

    async def __call__(self, outbox_id: int) -> int | None: ...


@dataclass(slots=True, eq=False)
class _Ticket:
    outbox_id: int
    done: asyncio.Future[int]
    seq: int | None = None


@dataclass(slots=True)
class Publication:
    """However many wait, the sequencer is woken once for all of them, and one task asks for all their numbers."""

    feed: Feed
    ask: SequenceOf
    wake: Callable[[], None]
    """Have the log looked at now; cheap, and a second call before it happens changes nothing."""
    _waiting: set[_Ticket] = field(default_factory=set, init=False)
    _asking: asyncio.Task[None] | None = field(default=None, init=False)

    async def sequence_of(self, outbox_id: int, *, wait: float) -> int | None:
        """Its sequence number once a checkpoint of this process covers it; None if that took more than `wait` seconds.

        What is asked about must be committed.
        """
        ticket = _Ticket(outbox_id, asyncio.get_running_loop().create_future())
        self._waiting.add(ticket)
        self.wake()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_for_all(), name="sequence numbers")
        try:
            async with asyncio.timeout(wait):
                return await ticket.done
        except TimeoutError:
            return None
        finally:
            self._waiting.discard(ticket)

    async def _ask_for_all(self) -> None:
        pause = FIRST_LOOK
        while self._waiting:
            pause = FIRST_LOOK if await self._grown_within(pause) else min(2 * pause, LONGEST_PAUSE)
            with suppress(StorageUnavailable):  # then the follower has none either; whoever waits waits on
                await self._look()

    async def _grown_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.feed.grown()
                return True
        return False

    async def _look(self) -> None:
        for ticket in list(self._waiting):
            if ticket.seq is None:
                ticket.seq = await self.ask(ticket.outbox_id)
            shown = self.feed.state
            if ticket.seq is not None and shown is not None and shown.seq >= ticket.seq and not ticket.done.done():
                ticket.done.set_result(ticket.seq)
