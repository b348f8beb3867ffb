"""Tiles: 256 records that never change, kept ready for the many that ask for the same ones after an outage."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from authserver.model.log import TILE, LogRecord
from authserver.revocation.feed import Feed
from authserver.revocation.records import line_of

KEPT = 64
"""Some 2 MB."""


class StoredTiles(Protocol):
    """`LogStore.tile`."""

    async def __call__(self, log: str, number: int) -> Sequence[LogRecord] | None: ...


@dataclass(slots=True)
class Tiles:
    feed: Feed
    stored: StoredTiles
    _known: OrderedDict[tuple[str, int], bytes] = field(default_factory=OrderedDict, init=False)

    async def tile(self, log: str, number: int) -> bytes | None:
        """A line per record; None for a tile that is not full, was dropped, or is another log's."""
        body = self._known.get((log, number)) or self._from_memory(log, number) or await self._from_store(log, number)
        if body is not None:
            self._known[log, number] = body
            self._known.move_to_end((log, number))
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return body

    def _from_memory(self, log: str, number: int) -> bytes | None:
        first, last = max(1, number * TILE), number * TILE + TILE - 1
        shown = self.feed.state
        if shown is None or shown.log != log or shown.seq < last or first < self.feed.first:
            return None
        return _body(self.feed.lines(first, last))

    async def _from_store(self, log: str, number: int) -> bytes | None:
        records = await self.stored(log, number)
        return None if records is None else _body([line_of(record) for record in records])


def _body(lines: Sequence[bytes]) -> bytes:
    return b"\n".join((*lines, b""))
