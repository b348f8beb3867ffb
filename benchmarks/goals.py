"""What the server and the verifier are held to, so that the output can say met or missed beside each figure."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    name: str
    """Of the result."""
    backend: str = "*"
    """A pattern as in a shell: "postgresql" is that one alone, "postgresql*" also the one with Valkey."""
    figure: str
    at_least: float = 0.0
    at_most: float = float("inf")

    def met(self, value: float) -> bool:
        return self.at_least <= value <= self.at_most

    def __str__(self) -> str:
        bound = f"≥ {self.at_least:,g}" if self.at_least else f"≤ {self.at_most:,g}"
        return f"{self.figure} {bound}"


@dataclass(frozen=True, slots=True)
class Verdict:
    goal: Goal
    measured: float

    @property
    def met(self) -> bool:
        return self.goal.met(self.measured)

    def as_json(self) -> dict[str, object]:
        return {"goal": str(self.goal), "met": self.met}


GOALS = (
    Goal(name="client_credentials", figure="limit_ratio", at_least=0.65),
    Goal(name="refresh", backend="postgresql*", figure="limit_ratio", at_least=0.35),
    Goal(name="code_exchange", backend="postgresql*", figure="limit_ratio", at_least=0.2),
    Goal(name="introspection", figure="requests_per_cpu_second", at_least=5_000),
    Goal(name="jwks", figure="limit_ratio", at_least=0.6),
    # Log-in runs last and needs the most: its peak is the peak of the whole run.
    Goal(name="login", figure="peak_rss_mb", at_most=120),
    Goal(name="revocation", figure="p50_ms", at_most=60),
    Goal(name="revocation", backend="sqlite", figure="p99_ms", at_most=300),
    Goal(name="revocation", backend="postgresql", figure="p99_ms", at_most=500),
    Goal(name="revocation", backend="postgresql+valkey", figure="p99_ms", at_most=300),
    Goal(name="revocation_streams", figure="idle_cpu_percent", at_most=20),
    Goal(name="revocation_streams", figure="p99_ms", at_most=1_000),
    # Twice the second after which there is a checkpoint at the latest.
    Goal(name="revocation_burst", figure="longest_checkpoint_gap_ms", at_most=2_000),
    Goal(name="revocation_burst", figure="peak_growth_mb", at_most=64),
    Goal(name="revocation_burst", figure="slow_reader_dropped", at_least=1),
    Goal(name="revocation_cold_start", figure="ready_ms", at_most=1_000),
    Goal(name="verify", figure="unseen_to_bare", at_most=2.5),
    Goal(name="verify", figure="seen_us", at_most=5),
    Goal(name="verify", figure="lookups_us", at_most=2),
)


def goals_for(name: str, backend: str) -> list[Goal]:
    return [goal for goal in GOALS if goal.name == name and fnmatchcase(backend, goal.backend)]
