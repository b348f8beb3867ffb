"""One unit of time for rows, deadlines and comparisons."""

from __future__ import annotations

from typing import TypeAlias

Instant: TypeAlias = int
"""Milliseconds since the Unix epoch, UTC."""

Duration: TypeAlias = int
"""Milliseconds."""

SECOND: Duration = 1000
MINUTE: Duration = 60 * SECOND
HOUR: Duration = 60 * MINUTE
DAY: Duration = 24 * HOUR
