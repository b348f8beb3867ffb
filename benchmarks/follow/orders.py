"""The other end of `benchmarks.child`: orders in, answers out, a line of JSON each."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]


def config() -> Message:
    """What we were started with: the first line."""
    told: Message = json.loads(sys.stdin.readline())
    return told


def orders() -> Iterator[Message]:
    """Until the benchmark closes the pipe."""
    for line in sys.stdin:
        yield json.loads(line)


def answer(**said: object) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
