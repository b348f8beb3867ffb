"""The load process: reads a plan, then one window a line, from standard input; answers a line each."""

from __future__ import annotations

import json
import sys

import uvloop

from benchmarks.load.fleet import Fleet
from benchmarks.load.plan import Plan


async def main() -> None:
    fleet = Fleet(Plan.from_json(sys.stdin.readline()))
    # Reading blocks the loop on purpose: between two windows no connection is open.
    for line in sys.stdin:
        order = json.loads(line)
        window = await fleet.window(order["seconds"], order["at_most"])
        sys.stdout.write(window.to_json() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
