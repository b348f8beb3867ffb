"""How much of everything a trial uses; the defaults are what the goals speak of."""

from __future__ import annotations

from dataclasses import dataclass

SIZES = {
    "verifiers": "verifiers that follow the feed",
    "processes": "processes that they are spread over",
    "revocations": "revocations measured, one at a time",
    "streams": "open streams",
    "burst": "revocations of the burst",
    "entries": "most entries that look-ups are measured with",
}
"""For `--help`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    verifiers: int = 50
    processes: int = 5
    revocations: int = 300
    streams: int = 1_000
    burst: int = 100_000
    entries: int = 1_000_000

    @property
    def scale(self) -> list[int]:
        """1,000, 10,000, ... up to `entries`."""
        return [10**power for power in range(3, 9) if 10**power <= self.entries] or [self.entries]
