"""What proxies and attackers do to the feed, one function each."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from tests.feed_proxy import Answer, Forward, Request


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


class Cache:
    """Keeps the first answer for each kind of request, and gives it for ever."""

    def __init__(self) -> None:
        self._kept: dict[str, Answer] = {}
        self._lock = threading.Lock()

    def frozen(self, request: Request, forward: Forward) -> Answer:
        with self._lock:
            kind = request.path.partition("?")[0]
            if kind.endswith("/stream"):
                return Answer(503, (("retry-after", "1"),), b"")
            if kind not in self._kept:
                self._kept[kind] = forward()
            return self._kept[kind]
