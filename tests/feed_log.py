"""The log as its readers get it, checked link by link with nothing but hashlib: docs/feed.md, once more."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from tests.site import claims_of

TILE = 256


def key_of(kind: str, issuer: str, value: str) -> str:
    digest = hashlib.sha256(f"{kind}|{issuer}|{value}".encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True)
class Log:
    checkpoint: dict[str, Any]
    records: list[dict[str, Any]]
    """All of them, from the first on."""

    @property
    def keys(self) -> list[str]:
        return [str(record["k"]) for record in self.records]


def read_log(url: str) -> Log:
    """Tiles and tail of a server whose floor is 1; asserts that sequence and chain lead to the checkpoint."""
    checkpoint, newest = read_tail(url)
    lines: list[bytes] = []
    for number in range(checkpoint["seq"] // TILE):
        answer = httpx.get(f"{url}/revocations/{checkpoint['log']}/tiles/{number}", timeout=30)
        assert answer.status_code == 200, answer.text
        lines += answer.content.splitlines()
    lines += newest
    chain = hashlib.sha256(checkpoint["log"].encode()).digest()
    for line in lines:
        chain = hashlib.sha256(chain + line).digest()
    records = [json.loads(line) for line in lines]
    assert [record["s"] for record in records] == list(range(1, checkpoint["seq"] + 1)), "dense, from 1 on"
    assert base64.urlsafe_b64encode(chain).decode().rstrip("=") == checkpoint["h"]
    return Log(checkpoint, records)


def read_tail(url: str) -> tuple[dict[str, Any], list[bytes]]:
    answer = httpx.get(f"{url}/revocations/tail", timeout=30)
    assert answer.status_code == 200, answer.text
    jwt, *lines = answer.content.splitlines()
    return claims_of(jwt.decode()), lines


def read_log_from(url: str, moment: float | None = None, seconds: float = 30) -> Log:
    """The log once a checkpoint vouches for everything acknowledged before `moment` (seconds since the epoch; now)."""
    moment, deadline = moment or time.time(), time.monotonic() + seconds
    while read_tail(url)[0]["at"] < moment * 1000:
        assert time.monotonic() < deadline, f"no newer checkpoint within {seconds} s"
        time.sleep(0.05)
    return read_log(url)
