"""What it costs to check a token, in each way, in one process: windows of all ways in turn, and their medians.

Config: `issuer`, `audience`; `port` and `headers` for introspection; `tokens`, one pack of distinct ones for each
window; `seen`, how many of them are verified again; `scale`, numbers of entries. Answers once, µs a token: of this
thread's CPU time, for introspection of time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from time import perf_counter, thread_time
from typing import Any

from authserver.verifier import Verifier
from authserver.verifier.records import Record, key_of
from benchmarks.follow import ways
from benchmarks.follow.copy import follower_of
from benchmarks.follow.orders import answer, config

READY_SECONDS = 30.0
PASSES = 3
ASKED = 50
"""Introspection calls of a window."""
LIFETIME = 3_600


def main() -> None:
    told = config()
    with Verifier(told["issuer"], audience=told["audience"], on_stale="deny") as verifier:
        if not verifier.wait_ready(READY_SECONDS):
            answer(error=f"not ready: {verifier.status()}")
            return
        answer(**_compared(verifier, told), scale=_by_entries(verifier, told))


def _compared(verifier: Verifier, told: dict[str, Any]) -> dict[str, float]:
    """Each window has a pack of tokens of its own, which no way but one can have remembered."""
    issuer, audience = told["issuer"], told["audience"]
    jwk = ways.signing_jwk(issuer, told["tokens"][0][0])
    bare, pyjwt, joserfc = ways.bare(jwk), ways.pyjwt(jwk, issuer, audience), ways.joserfc(jwk, issuer, audience)
    ask = ways.introspection(told["port"], told["headers"])
    windows = [
        {
            "bare_us": _cost(bare, [ways.signed_parts(token) for token in pack]),
            "unseen_us": _cost(verifier.verify, pack),
            "jwt_decode_us": _cost(pyjwt, pack),
            "joserfc_us": _cost(joserfc, pack),
            "introspection_us": _cost(ask, pack[:ASKED], clock=perf_counter),
        }
        for pack in told["tokens"]
    ]
    costs = {name: median(window[name] for window in windows) for name in windows[0]}
    # Of one window each, so that a machine that grows slower meanwhile does not count.
    return costs | {"unseen_to_bare": median(window["unseen_us"] / window["bare_us"] for window in windows)}


def _by_entries(verifier: Verifier, told: dict[str, Any]) -> list[dict[str, float]]:
    """Of tokens seen before, with ever more entries that are none of theirs."""
    seen = [token for pack in told["tokens"] for token in pack][-told["seen"] :]
    keys = [ways.token_keys(token, told["issuer"]) for token in seen]
    rounds, found = len(told["tokens"]), []
    for entries in told["scale"]:
        copy = follower_of(verifier).revocations
        copy.apply(_others(told["issuer"], copy.entries, entries))
        _cost(verifier.verify, seen)
        windows = [(_cost(verifier.verify, seen * PASSES), _cost(copy.refusal, keys * PASSES)) for _ in range(rounds)]
        found.append(
            {
                "entries": copy.entries,
                "seen_us": median(window[0] for window in windows),
                "lookups_us": median(window[1] for window in windows),
            }
        )
    return found


def _others(issuer: str, held: int, wanted: int) -> Iterable[Record]:
    """Records about tokens and sessions that nobody asks about, until `wanted` are held."""
    expires = int(time.time()) + LIFETIME
    for number in range(held, wanted):
        kind = ("jti", "sid")[number % 2]
        yield Record(number, kind, key_of(kind, issuer, f"other-{number}"), 0, expires, b"")


def _cost(work: Callable[[Any], object], about: Sequence[Any], clock: Callable[[], float] = thread_time) -> float:
    start = clock()
    for one in about:
        work(one)
    return 1e6 * (clock() - start) / len(about)


if __name__ == "__main__":
    main()
