"""What is wrong between this service and the issuer: told to the log once, and kept for `Verifier.status()`."""

from __future__ import annotations

import logging
from typing import NamedTuple

from .clock import Clock

REPEAT_SECONDS = 60.0
"""The same trouble is logged at most once in so many seconds, however often it comes and goes."""
_MAX_TEXTS = 64
_ASKED_BY_REQUESTS = "introspection"
"""Nobody may ask again once the copy is fresh: its trouble is over after REPEAT_SECONDS. Others try again."""

logger = logging.getLogger("authserver.verifier")


class Trouble(NamedTuple):
    text: str
    at: float
    """When it was last met, by the monotonic clock."""


class Troubles:
    """By the part that has it: feed, keys, introspection, reports. From any thread: each step is one of a dict's."""

    def __init__(self, monotonic: Clock) -> None:
        self._monotonic = monotonic
        self._current: dict[str, Trouble] = {}
        self._logged: dict[str, float] = {}

    def note(self, part: str, text: str) -> None:
        """For `newest` alone: somebody else writes the log."""
        self._current[part] = Trouble(text, self._monotonic())

    def arose(self, part: str, text: str) -> None:
        """A request failed. Logged when it is another trouble than at the request before. `text` holds no secrets."""
        self._forget_old()
        before = self._current.get(part)
        self.note(part, text)
        if before is None or before.text != text:
            self._log(text)

    def over(self, part: str) -> None:
        """A request went well."""
        self._current.pop(part, None)

    def newest(self) -> tuple[str, float] | None:
        """The text, and seconds since it was last met; None when all is well."""
        self._forget_old()
        found = max(list(self._current.values()), key=lambda trouble: trouble.at, default=None)
        return None if found is None else (found.text, max(0.0, self._monotonic() - found.at))

    def _forget_old(self) -> None:
        trouble = self._current.get(_ASKED_BY_REQUESTS)
        if trouble is not None and self._monotonic() - trouble.at >= REPEAT_SECONDS:
            self.over(_ASKED_BY_REQUESTS)

    def _log(self, text: str) -> None:
        now = self._monotonic()
        if now - self._logged.get(text, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return
        if len(self._logged) >= _MAX_TEXTS:
            self._logged.clear()
        self._logged[text] = now
        logger.warning("%s", text)
