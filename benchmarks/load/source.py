"""Where requests come from: ready bytes in turn, or a chain in which each answer makes the next request."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from itertools import cycle
from typing import Protocol

from benchmarks.load.plan import Plan


class AnswerError(Exception):
    """A 2xx answer that does not say what it should."""


class Source(Protocol):
    def next(self, connection: int) -> bytes | None:
        """The next request of this connection; None when there is nothing left to send."""
        ...

    def answered(self, connection: int, body: bytes) -> None:
        """Take the body of a 2xx answer; raises AnswerError."""
        ...

    def take_tokens(self) -> list[str]:
        """The access tokens kept since the last call."""
        ...


class ReadyRequests:
    """Requests that do not depend on answers."""

    def __init__(self, requests: Iterator[bytes], keep: int) -> None:
        self._requests = requests
        self._kept: deque[bytes] = deque(maxlen=keep)

    def next(self, connection: int) -> bytes | None:
        return next(self._requests, None)

    def answered(self, connection: int, body: bytes) -> None:
        self._kept.append(body)

    def take_tokens(self) -> list[str]:
        tokens = [json.loads(body)["access_token"] for body in self._kept]
        self._kept.clear()
        return tokens


class RefreshChains:
    """One family a connection: the refresh token of an answer is the credential of the next request."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._current = list(plan.refresh_tokens)
        self._kept: deque[str] = deque(maxlen=plan.keep)

    def next(self, connection: int) -> bytes | None:
        return encode(self._plan, self._plan.bodies[0] + self._current[connection])

    def answered(self, connection: int, body: bytes) -> None:
        answer = json.loads(body)
        successor = answer.get("refresh_token")
        if not isinstance(successor, str) or successor == self._current[connection]:
            raise AnswerError("the answer has no new refresh token")
        self._current[connection] = successor
        self._kept.append(answer["access_token"])

    def take_tokens(self) -> list[str]:
        tokens = list(self._kept)
        self._kept.clear()
        return tokens


def source_of(plan: Plan) -> Source:
    if plan.kind == "refresh":
        return RefreshChains(plan)
    requests = [encode(plan, body) for body in plan.bodies]
    return ReadyRequests(cycle(requests) if plan.kind == "cycle" else iter(requests), plan.keep)


def encode(plan: Plan, body: str) -> bytes:
    """One HTTP/1.1 request with its body."""
    content = body.encode()
    head = [f"{plan.method} {plan.path} HTTP/1.1", f"Host: 127.0.0.1:{plan.port}"]
    head += [f"{name}: {value}" for name, value in plan.headers.items()]
    if plan.method != "GET":
        head.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*head, "", ""]).encode() + content
