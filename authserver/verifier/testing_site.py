"""What the fake issuer answers, in memory and over HTTP alike. For `testing`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from .testing_book import CLIENT, Book, unverified_claims
from .transport import basic_credentials

_HEARTBEAT = 0.5
"""Seconds between checkpoints when nothing happens."""


class Reply(NamedTuple):
    status: int
    body: bytes = b""
    content_type: str = "application/json"


class Site:
    """The endpoints that a verifier asks. Cut off, it does not answer, and what is under way ends."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._changed = threading.Condition(book.lock)
        self._closed_to: frozenset[str] = frozenset()
        self.applied: dict[str, int] = {}
        self._gets = {
            "/.well-known/oauth-authorization-server": self._metadata,
            "/.well-known/jwks.json": self._keys,
            "/revocations/tail": self._tail,
        }

    # -- trouble --------------------------------------------------------------------------------------

    @property
    def is_cut(self) -> bool:
        return bool(self._closed_to)

    def cut(self, *, everything: bool) -> None:
        with self._changed:
            self._closed_to = frozenset(("/",) if everything else ("/revocations/",))
            self._changed.notify_all()

    def mend(self) -> None:
        with self._changed:
            self._closed_to = frozenset()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def reaches(self, path: str) -> bool:
        return not any(path.startswith(closed) for closed in self._closed_to)

    # -- answers --------------------------------------------------------------------------------------

    def get(self, path: str, query: str, headers: Mapping[str, str]) -> Reply:
        if path in self._gets:
            return self._gets[path](query)
        if path.startswith(f"/revocations/{self._book.log.log}/tiles/"):
            return self._tile(path.rpartition("/")[2])
        return Reply(404)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        if headers.get("authorization") != basic_credentials(**CLIENT):
            return Reply(401, b'{"error":"invalid_client"}')
        if path == "/introspect":
            return self._introspect(parse_qs(body.decode())["token"][0])
        if path == "/revocations/applied":
            return self._take_report(json.loads(body))
        return Reply(404)

    def stream(self, headers: Mapping[str, str]) -> Iterator[bytes]:
        """Server-Sent Events, until the feed is cut off."""
        with self._changed:
            log, after = self._resume_at(headers.get("last-event-id", ""))
            reset = json.dumps({"log": self._book.log.log, "seq": self._book.seq})
            yield b"" if log else f"event: reset\ndata: {reset}\n\n".encode()
        while True:
            with self._changed:
                if not self.reaches("/revocations/stream"):
                    return
                events, after = self._events(after)
            yield events
            with self._changed:
                if self._book.seq == after and self.reaches("/revocations/stream"):
                    self._changed.wait(_HEARTBEAT)

    def _resume_at(self, last_event_id: str) -> tuple[str | None, int]:
        log, _, seq = last_event_id.partition(".")
        known = log == self._book.log.log and seq.isdecimal() and int(seq) <= self._book.seq
        return (log, int(seq)) if known else (None, self._book.seq)

    def _events(self, after: int) -> tuple[bytes, int]:
        log = self._book.log
        records = [
            f"id: {log.log}.{record.seq}\nevent: rev\ndata: {record.line.decode()}\n\n" for record in log.after(after)
        ]
        return "".join([*records, f"event: cp\ndata: {self._checkpoint()}\n\n"]).encode(), log.seq

    def _checkpoint(self) -> str:
        return self._book.log.checkpoint(self._at(), self._book.sign)

    def _at(self) -> int:
        return int(self._book.now() * 1000)

    def _metadata(self, _query: str) -> Reply:
        issuer = self._book.issuer
        return _json(
            {
                "issuer": issuer,
                "jwks_uri": f"{issuer}/.well-known/jwks.json",
                "token_endpoint": f"{issuer}/token",
                "introspection_endpoint": f"{issuer}/introspect",
                "revocation_feed_endpoint": f"{issuer}/revocations",
                "response_types_supported": [],
            }
        )

    def _keys(self, _query: str) -> Reply:
        return _json({"keys": [key.jwk for key in self._book.keys]})

    def _tail(self, query: str) -> Reply:
        asked = parse_qs(query)
        after = int(asked["after"][0]) if "after" in asked else None
        with self._changed:
            if after is not None:
                changed = lambda: self._book.seq > after or not self.reaches("/revocations/tail")  # noqa: E731 - a name for one expression
                self._changed.wait_for(changed, float(asked.get("wait", ["0"])[0]))
            return Reply(200, self._book.log.tail(self._at(), self._book.sign, after), "text/plain")

    def _tile(self, number: str) -> Reply:
        tile = self._book.log.tile(int(number)) if number.isdecimal() else None
        return Reply(404) if tile is None else Reply(200, tile, "application/x-ndjson")

    def _introspect(self, token: str) -> Reply:
        if not self._book.is_alive(token):
            return _json({"active": False})
        return _json({"active": True, "token_type": "Bearer", **unverified_claims(token)})

    def _take_report(self, report: dict[str, Any]) -> Reply:
        self.applied[report["instance"]] = unverified_claims(report["checkpoint"])["seq"]
        return Reply(204)


def _json(value: object) -> Reply:
    return Reply(200, json.dumps(value).encode())
