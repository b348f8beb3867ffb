"""One verifier that starts with nothing: how long until it is ready, and what memory that takes.

Config: `issuer`, `audience`. Answers once: ready_ms, import_ms, entries, rss_before_mb, peak_rss_mb, rss_mb.
"""

from __future__ import annotations

from time import monotonic

import psutil

from benchmarks.follow.orders import answer, config
from benchmarks.process import peak_rss

READY_SECONDS = 60.0


def main() -> None:
    told = config()
    begun = monotonic()
    from authserver.verifier import Verifier
    from benchmarks.follow.copy import follower_of

    imported = monotonic()
    here = psutil.Process()
    before = here.memory_info().rss
    with Verifier(told["issuer"], audience=told["audience"], on_stale="deny") as verifier:
        if not verifier.wait_ready(READY_SECONDS):
            answer(error=f"not ready: {verifier.status()}")
            return
        ready = monotonic()
        answer(
            ready_ms=1000 * (ready - imported),
            import_ms=1000 * (imported - begun),
            entries=follower_of(verifier).revocations.entries,
            rss_before_mb=before / 2**20,
            peak_rss_mb=peak_rss(here) / 2**20,
            rss_mb=here.memory_info().rss / 2**20,
        )


if __name__ == "__main__":
    main()
