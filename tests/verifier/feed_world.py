"""An issuer's log, a network and clocks that a test holds in its hands; no threads, no waiting."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import jwt

from authserver.verifier.follower import FeedFollower
from authserver.verifier.records import key_of
from authserver.verifier.testing_book import Key, first_key
from authserver.verifier.testing_log import WritableLog
from authserver.verifier.token import TokenKeys
from authserver.verifier.transport import SILENCE, Response, TransportError

ISSUER = "https://issuer.test"
FEED = f"{ISSUER}/revocations"
START = 1_790_000_000
LATER = START + 3600
"""When records end."""
MAX_STALENESS = 5.0

Stream = Callable[[], Iterator[bytes]]
Answer = Response | TransportError | Callable[[], Response]


def keys(
    sid: str = "sid-1", *, jti: str = "jti-1", sub: str = "ann", cli: str = "shop", kid: str = "kid-1"
) -> TokenKeys:
    """Of a token issued at version 1 of everything."""
    values = {"kid": kid, "jti": jti, "sid": sid, "sub": sub, "cli": cli}
    return TokenKeys(*(key_of(kind, ISSUER, value) for kind, value in values.items()), 1, 1, 1)


class Clock:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


class World:
    """The issuer's clock (milliseconds, `issuer_time`), this machine's two clocks, and what stands between them."""

    def __init__(self) -> None:
        self.monotonic, self.wall, self.issuer_time = Clock(1000.0), Clock(float(START)), START * 1000
        self.key: Key = first_key()
        self.known_keys = {self.key.kid: self.key}
        self.log = WritableLog(ISSUER)
        self.streams: list[Stream] = []
        """What the next connections to the stream bring; then they are refused."""
        self.answers: dict[str, Answer] = {}
        """For paths that are not answered as usual."""
        self.requests: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.posted: list[bytes] = []
        self.revoked_kids: list[bytes] = []
        self.pauses: list[float] = []
        self.max_staleness = MAX_STALENESS
        self.feed = FEED
        self.until_closed = 0
        """How many more pauses the follower gets before it is closed."""
        self.during_pause: Callable[[], None] = lambda: None

    # -- time -----------------------------------------------------------------------------------------

    def passes(self, seconds: float) -> None:
        self.monotonic.seconds += seconds
        self.wall.seconds += seconds
        self.issuer_time += int(seconds * 1000)

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.passes(seconds)
        self.during_pause()
        self.until_closed -= 1
        return self.until_closed <= 0

    # -- what the issuer says -------------------------------------------------------------------------

    def sign(self, claims: dict[str, Any], typ: str, **header: Any) -> str:
        headers = {"kid": self.key.kid, "typ": typ, **header}
        return jwt.PyJWS().encode(json.dumps(claims).encode(), self.key.private, "RS256", headers=headers)

    def checkpoint(self, log: WritableLog | None = None) -> str:
        return (log or self.log).checkpoint(self.issuer_time, self.sign)

    def cp(self, log: WritableLog | None = None) -> bytes:
        return event("cp", self.checkpoint(log).encode())

    def revoke(self, value: str, kind: str = "sid", *, version: int = 0, expires: int = LATER) -> bytes:
        """The `rev` event; a checkpoint must follow."""
        self.log.append(kind, value, version=version, expires=expires)
        return event("rev", self.log.records[-1].line)

    # -- who follows ----------------------------------------------------------------------------------

    def follower(self, **options: Any) -> FeedFollower:
        def key_for(kid: str) -> Any:
            return self.known_keys[kid].private.public_key() if kid in self.known_keys else None

        return FeedFollower(
            ISSUER,
            feed_url=lambda: self.feed,
            key_for=key_for,
            transport=FakeTransport(self),
            on_kid=self.revoked_kids.append,
            wall=self.wall,
            monotonic=self.monotonic,
            pause=self.pause,
            max_staleness=self.max_staleness,
            **options,
        )

    def followed(self, **options: Any) -> FeedFollower:
        """One that has the log as it stands now, from a stream that then ended."""
        follower = self.follower(**options)
        self.connect(follower, self.cp())
        return follower

    def connect(self, follower: FeedFollower, *pieces: bytes) -> float:
        """One connection that brings these pieces and ends; the follower's wait afterwards."""
        return self.follow(follower, lambda: iter(pieces))

    def follow(self, follower: FeedFollower, *streams: Stream) -> float:
        """One connection, whatever it is; what goes wrong in a stream of a test goes wrong in the test."""
        self.streams = list(streams)
        delay = follower.follow_once()
        assert follower.counters["mistakes"] == 0
        return delay

    # -- answers --------------------------------------------------------------------------------------

    def answer(self, path: str) -> Response:
        given = self.answers.get(path.partition("?")[0])
        if isinstance(given, TransportError):
            raise given
        if given is not None:
            return given if isinstance(given, Response) else given()
        return self.usual_answer(path)

    def usual_answer(self, path: str) -> Response:
        if path == "/tail":
            return ok(self.log.tail(self.issuer_time, self.sign))
        if match := re.fullmatch(r"/tail\?after=(\d+)&wait=(\d+)", path):
            if self.log.seq <= int(match[1]):
                self.passes(int(match[2]))
            return ok(self.log.tail(self.issuer_time, self.sign, after=int(match[1])))
        if match := re.fullmatch(rf"/{self.log.log}/tiles/(\d+)", path):
            tile = self.log.tile(int(match[1]))
            return ok(tile) if tile is not None else Response(404, {}, b"")
        for snapshot in self.log.snapshots:
            if path == f"/{self.log.log}/snapshots/{snapshot.seq}":
                return ok(snapshot.body)
        return Response(404, {}, b"")


def ok(body: bytes, **headers: str) -> Response:
    return Response(200, headers, body)


def event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def accepts(follower: FeedFollower, token: TokenKeys | None = None, max_staleness: float = MAX_STALENESS) -> bool:
    """What a verifier without any other policy would do."""
    return follower.age() <= max_staleness and follower.revocations.refusal(token or keys()) is None


class FakeTransport:
    def __init__(self, world: World) -> None:
        self.world = world
        self.closed = False

    def get(self, url: str, *, limit: int, headers: Mapping[str, str] = {}, **_: Any) -> Response:
        self._note(url, headers)
        response = self.world.answer(url.removeprefix(FEED))
        if len(response.body) > limit:
            raise TransportError("too large")
        return response

    def post(self, url: str, body: bytes, *, limit: int, headers: Mapping[str, str] = {}, **_: Any) -> Response:
        self._note(url, headers)
        self.world.posted.append(body)
        path = url.removeprefix(FEED)
        return self.world.answer(path) if path in self.world.answers else Response(204, {}, b"")

    def open(
        self, url: str, *, headers: Mapping[str, str] = {}, timeout: float = SILENCE, deadline: float | None = None
    ) -> FakeDownload:
        self._note(url, headers)
        if not url.endswith("/stream"):
            response = self.world.answer(url.removeprefix(FEED))
            body = response.body
            return FakeDownload(
                response.status, response.headers, (body[i : i + 5000] for i in range(0, len(body), 5000))
            )
        if not self.world.streams:
            raise TransportError("refused")
        return FakeDownload(200, {"content-type": "text/event-stream; charset=utf-8"}, self.world.streams.pop(0)())

    def close(self) -> None:
        self.closed = True

    def _note(self, url: str, headers: Mapping[str, str]) -> None:
        self.world.requests.append(url.removeprefix(FEED))
        self.world.headers.append(headers)


class FakeDownload:
    def __init__(self, status: int, headers: Mapping[str, str], pieces: Iterator[bytes]) -> None:
        self.status, self.headers, self._pieces = status, headers, pieces

    def pieces(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Nobody does."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to give back."""


def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """For what happens on other threads."""
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        time.sleep(0.005)
    return met
