"""What the server is held to, so that the output can say met or missed beside each figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.measure import Measurement

Figure = Literal["limit_ratio", "requests_per_cpu_second", "peak_rss_mb"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    name: str
    """Of the scenario."""
    backend: str = ""
    """How the backend's name begins; "" means every one."""
    figure: Figure
    at_least: float = 0.0
    at_most: float = float("inf")

    def met(self, measurement: Measurement) -> bool:
        value: float = getattr(measurement, self.figure)
        return self.at_least <= value <= self.at_most

    def __str__(self) -> str:
        bound = f"≥ {self.at_least:,g}" if self.at_least else f"≤ {self.at_most:,g}"
        return f"{self.figure} {bound}"


GOALS = (
    Goal(name="client_credentials", figure="limit_ratio", at_least=0.65),
    Goal(name="refresh", backend="postgresql", figure="limit_ratio", at_least=0.35),
    Goal(name="introspection", figure="requests_per_cpu_second", at_least=5_000),
    Goal(name="jwks", figure="limit_ratio", at_least=0.6),
    # Log-in runs last and needs the most: its peak is the peak of the whole run.
    Goal(name="login", figure="peak_rss_mb", at_most=120),
)


def goals_for(name: str, backend: str) -> list[Goal]:
    return [goal for goal in GOALS if goal.name == name and backend.startswith(goal.backend)]
