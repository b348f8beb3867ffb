"""What a verifier counts, and the text in which scrapers read it: Prometheus' format, without its library."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from . import proof_errors  # noqa: F401 (its codes are counted, too)
from .errors import every_code

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
    "feed_forks_total": ("counter", "Checkpoints that contradict what is known: the log was forged or rolled back."),
    "feed_new_logs_total": ("counter", "Times that the issuer began a new log, as after a restored backup."),
    "feed_refused_checkpoints_total": (
        "counter",
        "Checkpoints not believed: signature, issuer, form or time (clocks!).",
    ),
    "feed_older_checkpoints_total": (
        "counter",
        "Checkpoints older than the copy, as from a cache or a lagging server.",
    ),
    "feed_broken_chains_total": ("counter", "Times that records did not lead to the signed checkpoint."),
    "feed_malformed_total": ("counter", "Answers that are not in the feed's format."),
    "feed_unexpected_answers_total": ("counter", "Answers with another status than the feed gives, such as 401."),
    "feed_connection_failures_total": ("counter", "Connections refused, cut off or silent."),
    "feed_nothing_new_total": ("counter", "Connections given up because they did not keep the copy young."),
    "feed_reconnects_total": ("counter", "Times that following began anew after trouble."),
    "feed_out_of_reach_total": ("counter", "Times that neither records nor a snapshot led to the checkpoint."),
    "feed_tiles_total": ("counter", "Tiles of records fetched to catch up."),
    "feed_snapshots_total": ("counter", "Snapshots fetched, as at the start."),
    "feed_refused_snapshots_total": ("counter", "Snapshots that are not what was signed, or too large."),
    "feed_mistakes_total": ("counter", "Errors in the verifier's own program: report them."),
    "feed_reports_total": ("counter", "Reports to the issuer of what was applied."),
    "feed_report_failures_total": ("counter", "Such reports that the issuer did not take."),
}
_LABELS = {
    "refusals_total": ("code", every_code()),
    "stale_decisions_total": ("decision", get_args(Decision)),
    "introspections_total": ("outcome", ("active", "inactive", "failed", "timeout", "overloaded", "open")),
}
"""The label's name, and the values that stand with 0 until something happens: alarms need something to compare with."""

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
    kind, text = _CONTENT[name]
    yield f"# HELP {PREFIX}{name} {_escaped(text)}"
    yield f"# TYPE {PREFIX}{name} {kind}"
    if not isinstance(value, Mapping):
        yield _sample(name, labels, value)
        return
    label, known = _LABELS[name]
    for each, count in sorted({**dict.fromkeys(known, 0), **value}.items()):
        yield _sample(name, {**labels, label: each}, count)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(text, quotes=True)}"' for label, text in labels.items())
    return f"{PREFIX}{name}{{{pairs}}} {_number(value)}"


def _number(value: float) -> str:
    return "+Inf" if value == float("inf") else f"{value:d}" if isinstance(value, int) else f"{value:.6g}"


def _escaped(text: str, *, quotes: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quotes else escaped
