"""What a trial found: named figures, and the samples that a plot is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.goals import Verdict, goals_for


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    name: str
    backend: str
    variant: str = ""
    """What differs between two results of one name on one backend."""
    figures: Mapping[str, float]
    """The unit is the end of the name: `_ms`, `_us`, `_mb`, `_percent`; without one it is a number of things."""
    lists: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)
    """Figures that depend on something: one entry for each value of it."""
    samples: Sequence[float] = ()
    """Single measurements in ms, for the plot; too many for the output."""

    @property
    def verdicts(self) -> list[Verdict]:
        return [Verdict(goal, self.figures[goal.figure]) for goal in goals_for(self.name, self.backend)]

    def as_json(self) -> dict[str, object]:
        named: dict[str, object] = {"name": self.name, "backend": self.backend}
        if self.variant:
            named["variant"] = self.variant
        figures = {name: _rounded(value) for name, value in self.figures.items()}
        lists = {
            name: [{key: _rounded(value) for key, value in entry.items()} for entry in entries]
            for name, entries in self.lists.items()
        }
        return named | figures | lists | {"goals": [verdict.as_json() for verdict in self.verdicts]}


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of values in ascending order: the least that at least `share` (0 to 1) of them do not exceed."""
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else round(value, 3)
