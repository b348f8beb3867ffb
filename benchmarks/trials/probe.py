"""How a server answers others while something else keeps it busy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import httpx

PERIOD = 0.02


@contextmanager
def probing(url: str) -> Iterator[list[float]]:
    """Asks for `url` every 20 ms while the block runs; the list fills with milliseconds."""
    taken: list[float] = []
    over = Event()
    prober = Thread(target=_ask, args=(url, taken, over), daemon=True)
    prober.start()
    try:
        yield taken
    finally:
        over.set()
        prober.join(30)


def _ask(url: str, taken: list[float], over: Event) -> None:
    with httpx.Client(timeout=30) as http:
        while not over.wait(PERIOD):
            start = time.monotonic()
            http.get(url).raise_for_status()
            taken.append(1000 * (time.monotonic() - start))
