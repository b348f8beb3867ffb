"""Which processor runs what: the server has the first one for itself, everything else shares the others.

So a figure is one core's work, undisturbed by moves between cores. Where the system cannot pin
(macOS) or there is one core only, nothing is pinned, and the output says so.
"""

from __future__ import annotations

import psutil


def _allowed() -> list[int]:
    process = psutil.Process()
    return sorted(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else []


# Read once, before anything is pinned.
_CORES = _allowed()
PINNED = len(_CORES) > 1


def keep_on_server_core(pid: int) -> None:
    if PINNED:
        psutil.Process(pid).cpu_affinity(_CORES[:1])


def keep_beside_server() -> None:
    """Keep this process, and whatever it starts from now on, off the server's core."""
    if PINNED:
        psutil.Process().cpu_affinity(_CORES[1:])
