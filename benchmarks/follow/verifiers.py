"""Resource servers' verifiers, several in one process, and the moment at which each refuses a token.

Config: `issuer`, `audience`, `count`. Answers `{"ready": seconds}`. The order `{"watch": TOKEN}` is answered
`{"armed": true}` once every verifier has accepted it, and with moments, codes and late (how many still accept it)
when every one has refused it or 15 s are over; `{"until": SEQ, "seconds": N}` when every copy has got so far, with
reached (moment or null) and oldest (the greatest age of a copy meanwhile, in seconds).
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from time import monotonic
from typing import Any

from authserver.verifier import Refusal, Verifier
from benchmarks.follow.copy import follower_of
from benchmarks.follow.orders import answer, config, orders

READY_SECONDS = 30.0
REFUSAL_SECONDS = 15.0
POLL_SECONDS = 0.001


def main() -> None:
    told = config()
    start = monotonic()
    with ExitStack() as stack:
        verifiers = [stack.enter_context(_verifier(told)) for _ in range(told["count"])]
        unready = sum(not verifier.wait_ready(READY_SECONDS) for verifier in verifiers)
        if unready:
            answer(error=f"{unready} verifiers did not become ready: {verifiers[0].status()}")
        answer(ready=monotonic() - start)
        for order in orders():
            if "watch" in order:
                watch(verifiers, order["watch"])
            else:
                answer(**follow(verifiers, order["until"], order["seconds"]))


def _verifier(told: dict[str, Any]) -> Verifier:
    return Verifier(told["issuer"], audience=told["audience"], on_stale="deny")


def watch(verifiers: list[Verifier], token: str) -> None:
    """The copy's position is looked at each millisecond, and the token verified when it moved: that costs least."""
    for verifier in verifiers:
        verifier.verify(token)
    waiting = dict.fromkeys(verifiers, -1)
    moments, codes = [], set()
    answer(armed=True)
    deadline = monotonic() + REFUSAL_SECONDS
    while waiting and monotonic() < deadline:
        for verifier, seen in list(waiting.items()):
            if (seq := position(verifier)) == seen:
                continue
            waiting[verifier] = seq
            if code := refusal(verifier, token):
                moments.append(monotonic())
                codes.add(code)
                del waiting[verifier]
        time.sleep(POLL_SECONDS)
    answer(moments=moments, codes=sorted(codes), late=len(waiting))


def follow(verifiers: list[Verifier], target: int, seconds: float) -> dict[str, object]:
    """Until every copy is at `target`; `oldest` is the greatest age that any had meanwhile."""
    deadline, oldest = monotonic() + seconds, 0.0
    while True:
        oldest = max(oldest, *(age(verifier) for verifier in verifiers))
        if all(position(verifier) >= target for verifier in verifiers):
            return {"reached": monotonic(), "oldest": oldest}
        if monotonic() > deadline:
            return {"reached": None, "oldest": oldest}
        time.sleep(POLL_SECONDS)


def refusal(verifier: Verifier, token: str) -> str:
    """The code with which it is refused; "" when it is not."""
    try:
        verifier.verify(token)
    except Refusal as refused:
        return refused.code
    return ""


def position(verifier: Verifier) -> int:
    return follower_of(verifier).seq


def age(verifier: Verifier) -> float:
    return follower_of(verifier).age()


if __name__ == "__main__":
    main()
