"""What a verifier counts, and the text in which scrapers read it: Prometheus' format, without its library."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

PREFIX = "authserver_verifier_"

Decision = Literal["accepted", "active", "inactive", "undecided", "denied"]
"""What became of a token while the copy was too old: accepted until a bound, found active or inactive by introspection,
not decided by it (503), denied by the policy (503)."""

_CONTENT = {
    "age_seconds": ("gauge", "Age of the copy of the revocations; +Inf before the first checkpoint."),
    "ready": ("gauge", "1 once keys and a checkpoint are there."),
    "seq": ("gauge", "Sequence number of the newest revocation applied."),
    "entries": ("gauge", "Revocations held."),
    "keys": ("gauge", "Public keys of the issuer held."),
    "keys_age_seconds": ("gauge", "Seconds since the keys were fetched."),
    "remembered_tokens": ("gauge", "Tokens whose signature is remembered as good."),
    "introspection_open": ("gauge", "1 while introspection is not tried, after failures in a row."),
    "gaps_total": ("counter", "Times that the feed did not go on where it should have."),
    "verifications_total": ("counter", "Tokens shown."),
    "signatures_total": ("counter", "Tokens whose signature had to be verified."),
    "refusals_total": ("counter", "Tokens refused, by the code of the refusal."),
    "stale_decisions_total": ("counter", "What was decided while the copy was too old."),
    "introspections_total": ("counter", "Questions to the issuer about one token, by what came of them."),
    "jwks_fetches_total": ("counter", "Requests for the issuer's keys."),
    "jwks_failures_total": ("counter", "Requests for the issuer's keys that brought none."),
}
_LABELS = {"refusals_total": "code", "stale_decisions_total": "decision", "introspections_total": "outcome"}

Value = float | Mapping[str, int]


class Counters:
    """Counts from any thread."""

    def __init__(self) -> None:
        self.verifications = 0
        self.signatures = 0
        self.refusals: Counter[str] = Counter()
        self.stale_decisions: Counter[str] = Counter()
        self.introspections: Counter[str] = Counter()
        self.renew_locks()

    def renew_locks(self) -> None:
        """After a fork: the lock may be held by a thread that does not exist here."""
        self.lock = threading.Lock()

    def verification(self) -> None:
        with self.lock:
            self.verifications += 1

    def signature(self) -> None:
        with self.lock:
            self.signatures += 1

    def refused(self, code: str) -> None:
        with self.lock:
            self.refusals[code] += 1

    def decided(self, decision: Decision) -> None:
        with self.lock:
            self.stale_decisions[decision] += 1

    def introspected(self, outcome: str) -> None:
        with self.lock:
            self.introspections[outcome] += 1

    def values(self) -> dict[str, Value]:
        with self.lock:
            return {
                "verifications_total": self.verifications,
                "signatures_total": self.signatures,
                "refusals_total": dict(self.refusals),
                "stale_decisions_total": dict(self.stale_decisions),
                "introspections_total": dict(self.introspections),
            }


def feed_counters(counts: Mapping[str, int]) -> dict[str, Value]:
    """The follower's own counters by their names here: "gaps" is `gaps_total`, the others `feed_…_total`."""
    return {("gaps_total" if name == "gaps" else f"feed_{name}_total"): count for name, count in counts.items()}


@dataclass(frozen=True, slots=True)
class Metrics:
    """One look at all numbers, by name without the prefix; those with a label as a mapping by its values."""

    issuer: str
    values: Mapping[str, Value] = field(repr=False)

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def prometheus(self, labels: Mapping[str, str] | None = None) -> str:
        """The exposition text, for `text/plain; version=0.0.4`; `labels` stand with every number beside `issuer`."""
        fixed = {"issuer": self.issuer, **(labels or {})}
        return "".join(line + "\n" for name, value in self.values.items() for line in _lines(name, value, fixed))


def _lines(name: str, value: Value, labels: Mapping[str, str]) -> Iterable[str]:
    kind, text = _CONTENT.get(name, ("counter", "Of the feed, see docs/feed.md."))
    yield f"# HELP {PREFIX}{name} {_escaped(text)}"
    yield f"# TYPE {PREFIX}{name} {kind}"
    if not isinstance(value, Mapping):
        yield _sample(name, labels, value)
        return
    for label, count in sorted(value.items()):
        yield _sample(name, {**labels, _LABELS[name]: label}, count)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(text, quotes=True)}"' for label, text in labels.items())
    return f"{PREFIX}{name}{{{pairs}}} {_number(value)}"


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else f"{value:d}" if isinstance(value, int) else f"{value:.6g}"


def _escaped(text: str, *, quotes: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quotes else escaped
