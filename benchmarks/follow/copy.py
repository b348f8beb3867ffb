"""A verifier's copy of the revocations, which the benchmark looks at without the cost of a whole report."""

from __future__ import annotations

from authserver.verifier import Verifier
from authserver.verifier.follower import FeedFollower


def follower_of(verifier: Verifier) -> FeedFollower:
    found = verifier._parts.follower
    assert isinstance(found, FeedFollower)
    return found
