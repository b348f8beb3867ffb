"""What a load process is told to send, and what it tells back: both cross a pipe as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Literal

PlanKind = Literal["cycle", "once", "refresh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every request of one kind: the same method, path and headers, bodies that differ."""

    port: int
    connections: int
    kind: PlanKind = "cycle"
    """"cycle": the bodies in turn, again and again. "once": each body once, then the load ends.
    "refresh": a body is the form up to the token; each connection sends the token its last answer gave."""
    method: str = "POST"
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    bodies: list[str] = field(default_factory=lambda: [""])
    refresh_tokens: list[str] = field(default_factory=list)
    """For "refresh": the first token of each connection."""
    must_contain: str = ""
    """A 2xx answer without this text is wrong too: introspection answers 200 for a dead token."""
    keep: int = 0
    """How many of the access tokens in the answers to hand back, the latest of them."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What one bounded time of load gave; every request in it was answered before it ended."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    error: str = ""
    """The first answer that was not what it should be; empty when all were."""
    access_tokens: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Window:
        return cls(**json.loads(text))
