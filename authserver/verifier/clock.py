"""Two clocks: one that cannot be set and goes on while the machine sleeps, and the one on the wall."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

Clock = Callable[[], float]
"""Seconds."""

COUNTS_SLEEP = hasattr(time, "CLOCK_BOOTTIME")
"""Without it (macOS) a machine that wakes up takes its copy for younger than it is, until the feed has reconnected."""

monotonic: Clock = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if COUNTS_SLEEP else time.monotonic
wall: Clock = time.time
