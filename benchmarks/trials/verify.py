"""`verify`: what it costs a resource server to check a token, beside what else it could do."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.child import child
from benchmarks.site import RESOURCE
from benchmarks.trials.ground import Ground
from benchmarks.trials.result import TrialResult

NAME = "verify"
PACK = 1_000
"""Most tokens of one window."""
SEEN = 2_000
"""So many a verifier remembers for certain, by default."""


def verify(ground: Ground) -> Iterator[TrialResult]:
    effort = ground.effort
    windows, pack = 2 * effort.windows + 1, min(PACK, int(PACK * effort.seconds / 3))
    tokens = ground.site.access_tokens(windows * pack)
    told = {
        "issuer": ground.issuer,
        "audience": RESOURCE,
        "port": ground.site.port,
        "headers": ground.site.service_headers,
        "tokens": [tokens[start : start + pack] for start in range(0, windows * pack, pack)],
        "seen": SEEN,
        "scale": ground.sizes.scale,
    }
    with child("benchmarks.follow.costs", **told) as process:
        found = process.hear()
        peak_mb = process.peak_rss_mb()
    scale: list[dict[str, float]] = found.pop("scale")
    yield _result(ground, found, scale, peak_mb)


def _result(ground: Ground, costs: dict[str, float], scale: list[dict[str, float]], peak_mb: float) -> TrialResult:
    dearest = {name: max(entry[name] for entry in scale) for name in ("seen_us", "lookups_us")}
    return TrialResult(
        name=NAME,
        backend=ground.backend,
        figures={
            **costs,
            **dearest,
            "limit_ratio": 1 / costs["unseen_to_bare"],
            "cpu_us_per_request": costs["unseen_us"],
            "requests_per_second": 1e6 / costs["unseen_us"],
            "introspection_to_seen": costs["introspection_us"] / dearest["seen_us"],
            "entries": max(entry["entries"] for entry in scale),
            "peak_rss_mb": peak_mb,
        },
        lists={"by_entries": scale},
    )
