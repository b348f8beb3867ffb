"""How long a log-in lasts."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.model.time import DAY, HOUR, MINUTE, Duration
from authserver.storage.interface import SessionTouch


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """Idle ends slide with use, absolute ends never move. Raises ValueError when they contradict each other."""

    idle: Duration = HOUR
    absolute: Duration = DAY
    touch_interval: Duration = MINUTE
    """A use is written at most this often, so the idle end is exact to this much."""
    refresh_idle: Duration = 14 * DAY
    refresh_absolute: Duration = 30 * DAY
    unrefreshable: Duration = 5 * MINUTE
    """Life of a token log-in whose client gets no refresh token: that of one access token."""

    def __post_init__(self) -> None:
        if self.idle > self.absolute or self.refresh_idle > self.refresh_absolute:
            raise ValueError("an idle time is longer than the absolute one")
        if self.touch_interval * 2 > self.idle:
            raise ValueError("uses are written too rarely for this idle time")

    @property
    def touch(self) -> SessionTouch:
        return SessionTouch(idle=self.idle, interval=self.touch_interval)
