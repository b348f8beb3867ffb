"""Records of the revocation log, and the chain that binds them (docs/feed.md)."""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_base64
from collections.abc import Iterable
from typing import NamedTuple

KINDS = ("kid", "jti", "sid", "sub", "cli", "iss")
TILE = 256
"""Records of a tile; the first has one less, because there is no record 0."""

_NUMBER = rb"(0|[1-9][0-9]{0,14})"
_LINE = re.compile(
    rb'\{"s":' + _NUMBER + rb',"t":"(' + "|".join(KINDS).encode() + rb')","k":"([A-Za-z0-9_-]{21}[AQgw])","v":'
    # 22 characters are 132 bits: the last four must be zero, or one key would have sixteen spellings.
    + _NUMBER + rb',"x":' + _NUMBER + rb"\}"
)  # fmt: skip
_STANDARD = bytes.maketrans(b"-_", b"+/")
_KINDS = {kind.encode(): kind for kind in KINDS}


class FeedFault(Exception):
    """What the feed says cannot be used; the copy stays as it is, and ages. `code` names the counter."""

    code = "faults"


class Malformed(FeedFault):
    """Not what docs/feed.md says; nothing of it was used."""

    code = "malformed"


class Record(NamedTuple):
    seq: int
    kind: str
    key: bytes
    """16 bytes, see `key_of`."""
    version: int
    expires: int
    """Seconds since the epoch, issuer time."""
    line: bytes
    """As it was received: these bytes are what is hashed."""


def key_of(kind: str, issuer: str, value: str) -> bytes:
    """What stands for a thing in the feed; `value` is empty for `iss`."""
    return hashlib.sha256(f"{kind}|{issuer}|{value}".encode()).digest()[:16]


def parse_record(line: bytes) -> Record:
    """Raises Malformed for anything but the one spelling: two readers of a hashed line must not differ about it."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise Malformed("a record is not in its one form")
    seq, kind, key, version, expires = match.groups()
    raw_key = a2b_base64(key.translate(_STANDARD) + b"==")
    return Record(int(seq), _KINDS[kind], raw_key, int(version), int(expires), line)


def parse_records(body: bytes) -> list[Record]:
    """The records of JSON lines, each of which ends with a newline."""
    if body and not body.endswith(b"\n"):
        raise Malformed("the last line is cut")
    return [parse_record(line) for line in body.split(b"\n")[:-1]]


def chain_start(log: str) -> bytes:
    return hashlib.sha256(log.encode("ascii")).digest()


def chained(previous: bytes, records: Iterable[Record]) -> bytes:
    """`h` after these records."""
    sha256 = hashlib.sha256
    for record in records:
        previous = sha256(previous + record.line).digest()
    return previous
