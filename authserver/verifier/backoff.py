"""How long to wait before the feed is connected to again."""

from __future__ import annotations

import random

from .feedclient import Unexpected
from .records import FeedFault
from .sessions import NothingNew

LONGEST = 5.0
"""Seconds; a feed that is back is found within this time."""
_FIRST = (0.05, 0.3)
"""A server that is restarted cuts off all its readers at once, and they should not all be back at once."""
_GROWING = 0.5


class Backoff:
    """Short after a connection that worked, then twice as long each time, never quite as long as the others' waits."""

    def __init__(self) -> None:
        self._failures = 0

    def next(self, error: Exception, delivered: bool) -> float:
        """Seconds. A connection that brought something untrue counts as one that failed."""
        if delivered and (isinstance(error, NothingNew) or not isinstance(error, FeedFault)):
            self._failures = 0
        self._failures += 1
        if self._failures == 1:
            seconds = random.uniform(*_FIRST)  # noqa: S311 -- spreads load, hides nothing
        else:
            longest = min(LONGEST, _GROWING * 2 ** min(self._failures - 2, 8))
            seconds = longest * random.uniform(0.5, 1.0)  # noqa: S311 -- likewise
        asked = error.retry_after if isinstance(error, Unexpected) else 0.0
        return max(seconds, min(LONGEST, asked))
