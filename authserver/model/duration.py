"""Durations as people write them."""

from __future__ import annotations

import re

from .time import DAY, HOUR, MINUTE, SECOND, Duration

_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def parse_duration(value: object) -> Duration:
    """Milliseconds from "10s", "5m", "1h", "14d", "500ms" or a number of seconds; raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value * SECOND)
    match = re.fullmatch(r"(\d+)(ms|s|m|h|d)?", str(value).strip())
    if match is None:
        raise ValueError('a duration is a number of seconds, or one with a unit: "10s", "5m", "1h", "14d"')
    return int(match[1]) * _UNITS[match[2] or "s"]


def show_duration(value: Duration) -> str:
    """The shortest form that `parse_duration` reads back: 300000 -> "5m"."""
    for unit in ("d", "h", "m", "s"):
        if value and value % _UNITS[unit] == 0:
            return f"{value // _UNITS[unit]}{unit}"
    return f"{value}ms"
