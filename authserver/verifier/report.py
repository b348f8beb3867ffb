"""Reporter: tells the issuer what was applied here, so that an administrator sees who has honoured a revocation."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

from .feedclient import FeedClient
from .notes import Notes
from .records import FeedFault
from .transport import TransportClosed, TransportError

EVERY_SECONDS = 10.0
WITHIN_SECONDS = 1.0
"""After a change; all that changes meanwhile is one report."""


class Applied(NamedTuple):
    checkpoint: str
    entries: int


class Reporter:
    """A daemon thread of its own: the follower's must not wait for answers. What fails is told the next time."""

    def __init__(
        self, client: FeedClient, applied: Callable[[], Applied | None], notes: Notes, instance: str | None
    ) -> None:
        """`instance`: a name for this process among those of the client; None is host and process id."""
        self._client, self._applied, self._notes = client, applied, notes
        self._instance = instance
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Also in a process that was forked off: with locks and a thread of its own."""
        self._wake, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="authserver-report", daemon=True)
        self._thread.start()

    def changed(self) -> None:
        """Something was applied."""
        self._wake.set()

    def close(self, timeout: float) -> None:
        """The transport must be closed already: it is what a report waits for."""
        self._closed.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._wake.wait(EVERY_SECONDS * random.uniform(0.9, 1.0))  # noqa: S311 -- spreads load, hides nothing
            if self._closed.wait(WITHIN_SECONDS * random.uniform(0.5, 0.9)):  # noqa: S311 -- likewise
                return
            self._wake.clear()
            # An issuer that takes none is not to be asked with each change.
            if not self.send() and self._closed.wait(EVERY_SECONDS):
                return

    def send(self) -> bool:
        """Once, now; failures are counted, and logged once."""
        applied = self._applied()
        if applied is None:
            return True
        instance = self._instance or f"{socket.gethostname()}:{os.getpid()}"
        body = json.dumps({"instance": instance, "checkpoint": applied.checkpoint, "entries": applied.entries})
        try:
            self._client.report(body.encode("ascii"))
        except TransportClosed:
            return False
        except (TransportError, FeedFault) as error:
            self._notes.count("report_failures")
            self._notes.troubles.arose("reports", f"what was applied cannot be reported to the issuer: {error}")
            return False
        self._notes.count("reports")
        self._notes.troubles.over("reports")
        return True
