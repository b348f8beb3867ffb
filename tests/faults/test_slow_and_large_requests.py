"""Callers that send half a request and wait, or headers without end: to a real server, byte by byte."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from authserver.tokens.masterkey import create_master_key
from tests.processes import ServerProcess, serving

TIMEOUT = 0.5
HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
FORM = b"POST /revoke HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture
def server(tmp_path: Path, sqlite_url: str) -> Iterator[ServerProcess]:
    create_master_key(tmp_path / "keys" / "master.key")
    with serving(tmp_path, database_url=sqlite_url, keys_dir=tmp_path / "keys", request_timeout="500ms") as running:
        yield running


def connected(server: ServerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def until_closed(connection: socket.socket) -> bytes:
    """What comes until the server closes, which it must within the ten seconds of the socket."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:  # closed while we were still sending
        pass
    return received


def sent_before_it_is_cut(connection: socket.socket, piece: bytes, *, most: int, pause: float = 0) -> int:
    """Sends `piece` again and again; how many bytes went out, `most` at most."""
    sent = 0
    with suppress(OSError):
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
            time.sleep(pause)
    return sent


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (b"", []),
        (b"\r\n", []),
        (b"GET /hea", [408]),
        (HEAD + b"X-A: ", [408]),
        (FORM + b"Content-Length: 100\r\n\r\n", [408]),
        (FORM + b"Content-Length: 100\r\n\r\na", [408]),
        (FORM + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", [408]),
        (HEAD + b"\r\n" + HEAD, [200, 408]),
        # Nobody reads this body, so the answer is there at once and the rest of the request is still owed.
        (HEAD + b"Content-Length: 100\r\n\r\na", [200]),
    ],
)
def test_half_a_request_is_given_up(server: ServerProcess, sent: bytes, answers: list[int]) -> None:
    with closing(connected(server)) as connection:
        begun = time.monotonic()
        connection.sendall(sent)
        received = until_closed(connection)
        assert TIMEOUT * 0.8 < time.monotonic() - begun < TIMEOUT + 5
    statuses = [status(b"HTTP/1.1 " + part) for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == answers


@pytest.mark.parametrize(("sent", "drop"), [(HEAD, b"X-A: b\r\n"), (FORM + b"Content-Length: 9999\r\n\r\n", b"a")])
def test_a_drop_now_and_then_does_not_prolong_it(server: ServerProcess, sent: bytes, drop: bytes) -> None:
    with closing(connected(server)) as connection:
        connection.sendall(sent)
        assert sent_before_it_is_cut(connection, drop, most=100 * len(drop), pause=TIMEOUT / 5) < 50 * len(drop)


def test_a_request_in_pieces_is_answered_and_the_connection_kept(server: ServerProcess) -> None:
    with closing(connected(server)) as connection:
        for _ in range(2):
            for piece in (b"GET /hea", b"lthz HTTP/1.1\r\nHo", b"st: x\r\n\r", b"\n"):
                connection.sendall(piece)
                time.sleep(0.02)
            assert status(connection.recv(4096)) == 200
            time.sleep(TIMEOUT * 2)  # idle between requests: that is keep-alive and has its own, longer, time


@pytest.mark.parametrize(
    "header", [b"X-A: " + b"a" * 60_000 + b"\r\n", b"X-A: b\r\n" * 10_000, b"X-A: " + b"a" * 60_000]
)
def test_headers_without_end_are_refused(server: ServerProcess, header: bytes) -> None:
    with closing(connected(server)) as connection:
        connection.sendall(HEAD)
        sent = sent_before_it_is_cut(connection, header, most=50_000_000)
    assert sent < 10_000_000, "which the buffers of both sides hold"
    assert psutil.Process(server.running.pid).memory_info().rss < 400_000_000
    assert httpx.get(f"{server.url}/healthz").status_code == 200


@pytest.mark.parametrize(("size", "expected"), [(16_000, 200), (50_000, 431), (200_000, 431)])
def test_the_limit_holds_for_a_whole_head_too(server: ServerProcess, size: int, expected: int) -> None:
    with closing(connected(server)) as connection:
        connection.sendall(HEAD + b"X-A: " + b"a" * size + b"\r\nConnection: close\r\n\r\n")
        answer = until_closed(connection)
    assert not answer or status(answer) == expected
    assert answer or expected == 431, "an answer may be lost when the rest of the request meets a closed connection"


def test_a_body_larger_than_the_limit_on_heads_is_read(server: ServerProcess) -> None:
    answer = httpx.post(f"{server.url}/login", json={"username": "x" * 60_000, "password": "p", "client_id": "c"})
    assert answer.status_code in (400, 401)
