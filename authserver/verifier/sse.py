"""Server-Sent Events (HTML Living Standard section 9.2.6), as far as the feed uses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .records import Malformed

MAX_EVENT = 65536
"""Bytes; a checkpoint has less than 2,000."""


class Event(NamedTuple):
    name: str
    data: bytes


class EventReader:
    """Events from bytes that come in any pieces. Their ids are not read: the records have them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that are complete now. Raises Malformed when one is too long to be of the feed."""
        text = self._rest + piece
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        *blocks, self._rest = text.split(b"\n\n")
        if len(self._rest) > MAX_EVENT:
            raise Malformed("an event does not end")
        return (event for block in blocks if (event := _event(block)) is not None)


def _event(block: bytes) -> Event | None:
    """None for comments, which keep connections alive."""
    name, data = "message", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("latin-1")
    return Event(name, b"\n".join(data)) if data else None
