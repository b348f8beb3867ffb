"""What proxies and attackers do to the feed, one function each."""

from __future__ import annotations

from collections.abc import Iterable

from tests.feed_proxy import Answer, Forward, Request
from tests.following import Line


def is_record(frame: bytes) -> bool:
    return b"event: rev" in frame


def without_events(frame: bytes, held: list[bytes]) -> Iterable[bytes]:
    return () if is_record(frame) else (frame,)


def every_frame_twice(frame: bytes, held: list[bytes]) -> Iterable[bytes]:
    return frame, frame


def events_after_their_checkpoint(frame: bytes, held: list[bytes]) -> Iterable[bytes]:
    """And backwards."""
    if is_record(frame):
        held.insert(0, frame)
        return ()
    late = tuple(held)
    held.clear()
    return frame, *late


def nonsense(frame: bytes, held: list[bytes]) -> Iterable[bytes]:
    return (b"event: cp\ndata: eyJhbGciOiJub25lIn0.e30.\n\n", b"event: rev\ndata: [1, 2\n\n", b"\x00\xff: x\n\n")


class OldCheckpoints:
    """Every checkpoint is replaced by one of long ago."""

    def __init__(self, old: bytes) -> None:
        self._old = b"event: cp\ndata: " + old + b"\n\n"

    def __call__(self, frame: bytes, held: list[bytes]) -> Iterable[bytes]:
        return () if is_record(frame) else (self._old,)


class FrozenCache:
    """Has one tail, and gives it to everybody for ever; it knows nothing of streams."""

    def __init__(self, served: Line) -> None:
        self._tail = served.proxy.forward(Request("GET", "/revocations/tail", {}, b""))

    def __call__(self, request: Request, forward: Forward) -> Answer:
        return Answer(503, (("retry-after", "1"),), b"") if "/stream" in request.path else self._tail
