"""Whether what the database shows continues what was signed."""

from __future__ import annotations

from typing import NamedTuple

from authserver.model.log import LinkedRecord, LogHead
from authserver.model.time import Instant
from authserver.revocation.records import link


class LogLostCommits(Exception):
    """The log is not one that what was signed could have led to."""


class End(NamedTuple):
    """The last record that was followed."""

    log: str
    seq: int
    hash: bytes


class Moment(NamedTuple):
    at: Instant
    taken: float
    """Monotonic seconds."""


def continues(head: LogHead, end: End | None) -> bool:
    """False for a log that took the place of ours by `renew`. Raises LogLostCommits where it is neither."""
    if head.witness is not None:
        raise LogLostCommits("a checkpoint that was signed here proves it")
    if end is None:
        return True
    if head.log != end.log:
        if end.log not in head.left:
            raise LogLostCommits(f"log {head.log} does not follow log {end.log}, which was signed")
        return False
    if head.seq < end.seq:
        raise LogLostCommits(f"the log ends at {head.seq}, and {end.seq} records were signed")
    if head.seq == end.seq and head.hash != end.hash:
        raise LogLostCommits(f"record {end.seq} is not the one that was signed")
    return True


def must_link(previous: bytes, linked: LinkedRecord, line: bytes) -> bytes:
    """h of the record; raises LogLostCommits if it does not continue the chain."""
    found = link(previous, line)
    if found != linked.hash:
        raise LogLostCommits(f"record {linked.record.seq} does not continue what was signed")
    return found
