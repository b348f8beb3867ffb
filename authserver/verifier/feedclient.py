"""FeedClient: the requests of docs/feed.md, each with its bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Self

from .records import FeedFault, Record, parse_records
from .transport import SILENCE, Download, Response, Transport, cause_of, same_origin

MAX_TAIL = 4 << 20
"""Bytes: an answer has 4096 records of at most 112 bytes, and a checkpoint."""
MAX_TILE = 64 << 10
SNAPSHOT_SECONDS = 120.0
CATCH_UP_SECONDS = 10.0


class Unexpected(FeedFault):
    """An answer of another status or type than the feed gives."""

    code = "unexpected_answers"

    def __init__(self, what: str, status: int, retry_after: str | None = None, cause: str | None = None) -> None:
        super().__init__(f"{what} was answered with status {status}{f': {cause}' if cause else ''}")
        self.status = status
        seconds = int(retry_after) if retry_after and retry_after.isdecimal() and len(retry_after) < 4 else 0
        self.retry_after = float(seconds)


class NoStream(Unexpected):
    """Something on the way answers for the stream, or keeps it back."""


@dataclass(frozen=True, slots=True)
class Tail:
    """A checkpoint, not looked at yet, and the records that came with it."""

    checkpoint: str
    records: list[Record]
    etag: str | None


@dataclass(frozen=True, slots=True)
class FeedClient:
    url: Callable[[], str]
    """The `revocation_feed_endpoint`; may raise TransportError."""
    transport: Transport
    authorization: str | None
    """Shown to the issuer alone: a feed elsewhere, which the metadata may name, must be a public one."""
    issuer: str
    shared_cache: bool
    """Whether answers may come from a cache on the way; otherwise each cache is asked not to."""

    def past_caches(self) -> Self:
        return replace(self, shared_cache=False)

    @contextmanager
    def stream(self, position: str | None) -> Iterator[Download]:
        """`position`: LOG.SEQ, to go on after it."""
        headers = self._headers({"Accept": "text/event-stream"})
        if position is not None:
            headers["Last-Event-ID"] = position
        with self.transport.open(f"{self.url()}/stream", headers=headers, timeout=SILENCE) as download:
            self._expect(200, "the stream", download.status, download.headers)
            if not download.headers.get("content-type", "").startswith("text/event-stream"):
                raise NoStream("the stream", download.status)
            yield download

    def tail(self, etag: str | None = None) -> Tail | None:
        """The newest tile; None if it is still the one of `etag`."""
        headers = self._headers({"If-None-Match": etag} if etag else {})
        response = self.transport.get(f"{self.url()}/tail", limit=MAX_TAIL, headers=headers)
        if etag and response.status == 304:
            return None
        self._expect(200, "the tail", response.status, response.headers)
        return _tail(response)

    def tail_after(self, seq: int, wait: int) -> Tail:
        """What came after `seq`, at most the newest few thousand; waits up to `wait` seconds for something."""
        response = self.transport.get(
            f"{self.url()}/tail?after={seq}&wait={wait}",
            limit=MAX_TAIL,
            headers=self._headers(),
            timeout=wait + SILENCE,
            deadline=wait + CATCH_UP_SECONDS,
        )
        self._expect(200, "the tail", response.status, response.headers)
        return _tail(response)

    def tile(self, log: str, number: int) -> list[Record]:
        """What it says, believed only when the chain holds: caches keep tiles for ever."""
        response = self.transport.get(f"{self.url()}/{log}/tiles/{number}", limit=MAX_TILE, headers=self._headers())
        self._expect(200, "a tile", response.status, response.headers)
        return parse_records(response.body)

    @contextmanager
    def snapshot(self, log: str, seq: int) -> Iterator[Iterator[bytes]]:
        url = f"{self.url()}/{log}/snapshots/{seq}"
        with self.transport.open(url, headers=self._headers(), deadline=SNAPSHOT_SECONDS) as download:
            self._expect(200, "a snapshot", download.status, download.headers)
            yield download.pieces()

    def report(self, body: bytes) -> None:
        headers = {**self._headers(), "Content-Type": "application/json"}
        response = self.transport.post(f"{self.url()}/applied", body, limit=MAX_TILE, headers=headers)
        self._expect(204, "a report", response.status, response.headers)

    def _expect(self, status: int, what: str, given: int, headers: Mapping[str, str]) -> None:
        if given != status:
            cause = cause_of(given, credentials=self._credentials() is not None)
            raise Unexpected(what, given, headers.get("retry-after"), cause)

    def _headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        fresh = {} if self.shared_cache else {"Cache-Control": "no-cache"}
        credentials = self._credentials()
        return {**fresh, **({"Authorization": credentials} if credentials else {}), **(more or {})}

    def _credentials(self) -> str | None:
        return self.authorization if same_origin(self.url(), self.issuer) else None


def _tail(response: Response) -> Tail:
    checkpoint, _, lines = response.body.partition(b"\n")
    return Tail(checkpoint.decode("latin-1"), parse_records(lines), response.headers.get("etag"))
