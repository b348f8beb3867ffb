"""Callers that ask and do not read, and callers that read for ever: to a real server."""

from __future__ import annotations

import json
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest

from authserver.tokens.masterkey import create_master_key
from tests.processes import ServerProcess, serving

STREAM = b"GET /revocations/stream HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def server(tmp_path: Path, sqlite_url: str) -> Iterator[ServerProcess]:
    create_master_key(tmp_path / "keys" / "master.key")
    with serving(tmp_path, database_url=sqlite_url, keys_dir=tmp_path / "keys", request_timeout="1s") as running:
        yield running


def connected(server: ServerProcess, *, window: int = 0) -> socket.socket:
    """`window`: bytes that the kernel takes for a reader that does not read."""
    connection = socket.socket()
    connection.settimeout(20)
    if window:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.connect(("127.0.0.1", server.port))
    return connection


def connections_of(server: ServerProcess) -> int:
    process = psutil.Process(server.running.pid)
    return len([c for c in process.net_connections("tcp") if c.status == psutil.CONN_ESTABLISHED])


def ask_for_ever(connection: socket.socket) -> None:
    for _ in range(100_000):
        connection.sendall(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50)


def test_a_caller_that_never_reads_its_answers_is_cut_off(server: ServerProcess) -> None:
    with closing(connected(server, window=4096)) as connection:
        with pytest.raises((ConnectionError, TimeoutError)):
            ask_for_ever(connection)
        assert connections_of(server) == 0
    assert psutil.Process(server.running.pid).memory_info().rss < 250_000_000


def revoke_many(database: Path, number: int) -> None:
    """Entries of the outbox in one transaction, past the server: more at once than it could be asked for."""
    now = int(time.time() * 1000)
    rows = [("jti", uuid4().hex, 0, now + 300_000, now) for _ in range(number)]
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        connection.executemany(
            "INSERT INTO revocation_outbox (kind, value, version, expires_at, created_at) VALUES (?, ?, ?, ?, ?)", rows
        )


def test_readers_that_do_not_read_are_cut_off_and_the_others_get_everything(
    server: ServerProcess, tmp_path: Path
) -> None:
    process = psutil.Process(server.running.pid)
    before = process.memory_info().rss
    with ExitStack() as stack:
        for _ in range(50):
            slow = stack.enter_context(closing(connected(server, window=4096)))
            slow.sendall(STREAM)
        with httpx.stream("GET", f"{server.url}/revocations/stream", timeout=20) as quick:
            lines = quick.iter_lines()
            while not next(lines).startswith("event: cp"):
                pass
            assert connections_of(server) == 51
            number, seen = 0, 0
            deadline = time.monotonic() + 60
            while connections_of(server) > 1 and time.monotonic() < deadline:
                revoke_many(tmp_path / "authserver.db", 5000)
                number += 5000
                while seen < number:
                    seen = next_record(lines, after=seen)
            assert connections_of(server) == 1, "the slow ones are gone"
    assert process.memory_info().rss - before < 60_000_000


def next_record(lines: Iterator[str], *, after: int) -> int:
    """The sequence number of the next one, which is the one that follows."""
    for line in lines:
        if line.startswith('data: {"s":'):
            assert json.loads(line[6:])["s"] == after + 1
            return after + 1
    raise AssertionError("the stream ended")


def test_sigterm_does_not_wait_for_open_streams_and_long_polls(server: ServerProcess) -> None:
    with ExitStack() as stack:
        open_ones = [stack.enter_context(closing(connected(server))) for _ in range(20)]
        for connection in open_ones[:10]:
            connection.sendall(STREAM)
        for connection in open_ones[10:]:
            connection.sendall(b"GET /revocations/tail?after=0&wait=30 HTTP/1.1\r\nHost: x\r\n\r\n")
        for connection in open_ones[:10]:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        time.sleep(0.3)
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 3
        for connection in open_ones[:10]:
            assert drained(connection).endswith(b"0\r\n\r\n"), "a stream ends as HTTP asks for"
        for connection in open_ones[10:]:
            assert drained(connection).startswith(b"HTTP/1.1 200"), "a long poll is answered"


def drained(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received
