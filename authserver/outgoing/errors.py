"""Why there is no answer. The texts hold nothing secret and nothing of the inside, and may be shown to a caller."""

from __future__ import annotations


class OutgoingError(Exception):
    """No usable answer; `why` is printable ASCII that reads on after "the address"."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class OutgoingRefused(OutgoingError):
    """An address or an answer that is not taken, now or later: it would be the same the next time."""


class OutgoingFailed(OutgoingError):
    """It did not work this time: no such name, no connection, no answer in time, a broken one."""
