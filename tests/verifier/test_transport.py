"""The verifier's HTTP: which addresses, how many bytes, for how long."""

from __future__ import annotations

import base64
import os
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from authserver.verifier.httptransport import HttpTransport
from authserver.verifier.transport import (
    TimedOut,
    TooLarge,
    TransportClosed,
    TransportError,
    basic_credentials,
    checked_url,
)
from tests.verifier.raw_server import Caller, RawServer


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    transport = HttpTransport()
    yield transport
    transport.close()


def always(body: bytes, *headers: str, status: str = "200 OK") -> RawServer:
    return RawServer(partial(_answer_all, body, headers, status))


def _answer_all(body: bytes, headers: tuple[str, ...], status: str, caller: Caller) -> None:
    while caller.request():
        caller.answer(body, *headers, status=status)


# -- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["https://as.example/feed", "http://127.0.0.1:8000/x?y=z", "http://[::1]/", "http://localhost:1"]
)
def test_https_and_the_loopback_are_talked_to(url: str) -> None:
    assert checked_url(url).hostname


@pytest.mark.parametrize(
    "url",
    [
        "http://as.example/feed",
        "http://127.0.0.1.as.example/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "https:///feed",
        "https://user:secret@as.example/",
        "https://as.example/#x",
        "https://as.example/a b",
        "https://as.example/a\r\nX: y",
        "//as.example/",
        "",
    ],
)
def test_nothing_else_is_talked_to(transport: HttpTransport, url: str) -> None:
    with pytest.raises(ValueError):
        checked_url(url)
    with pytest.raises(TransportError):
        transport.get(url, limit=10)


def test_credentials_are_encoded_before_they_are_joined() -> None:
    """RFC 6749 section 2.3.1: else a colon or an umlaut would name another client."""
    scheme, value = basic_credentials("a:b", "p@ß +").split()
    assert scheme == "Basic"
    assert base64.b64decode(value) == b"a%3Ab:p%40%C3%9F+%2B"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For localhost, signed by itself; with its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(today - timedelta(1)).not_valid_after(today + timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + builder.sign(key, SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[RawServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with RawServer(partial(_answer_all, b"hello", (), "200 OK"), context) as server:
        yield server


def test_a_trusted_server_of_the_right_name_is_talked_to(tls_server: RawServer, certificate: Path) -> None:
    transport = HttpTransport(ssl.create_default_context(cafile=str(certificate)))
    https = tls_server.url.replace("http:", "https:")
    assert transport.get(https.replace("127.0.0.1", "localhost"), limit=10).body == b"hello"
    with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED"):
        transport.get(https, limit=10)
    transport.close()


def test_a_server_that_nobody_vouches_for_is_not_talked_to(transport: HttpTransport, tls_server: RawServer) -> None:
    with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED"):
        transport.get(tls_server.url.replace("http://127.0.0.1", "https://localhost"), limit=10)


# -- answers ------------------------------------------------------------------------------------


def test_an_answer_has_status_headers_and_body(transport: HttpTransport) -> None:
    with always(b"hello", "ETag: x", status="503 Not Now") as server:
        response = transport.get(server.url, limit=5)
    assert (response.status, response.headers["etag"], response.body) == (503, "x", b"hello")


def test_a_body_and_headers_are_sent(transport: HttpTransport) -> None:
    seen = []

    def behave(caller: Caller) -> None:
        seen.append(caller.request())
        caller.answer()

    with RawServer(behave) as server:
        transport.post(server.url + "/x?y=1", b"a=1", limit=5, headers={"Authorization": "Basic eA=="})
    assert seen[0].startswith(b"POST /x?y=1 HTTP/1.1\r\n")
    assert b"Authorization: Basic eA==\r\n" in seen[0]
    assert seen[0].endswith(b"\r\n\r\na=1")


def test_no_redirect_is_followed(transport: HttpTransport) -> None:
    with always(b"secret") as other, always(b"", f"Location: {other.url}", status="302 Found") as server:
        with pytest.raises(TransportError, match="redirects"):
            transport.get(server.url, limit=10)
        assert other.connections == 0


def test_a_compressed_answer_is_not_unpacked(transport: HttpTransport) -> None:
    with always(b"\x1f\x8b...", "Content-Encoding: gzip") as server, pytest.raises(TransportError, match="compressed"):
        transport.get(server.url, limit=10)


def test_a_body_is_refused_from_the_first_byte_too_many(transport: HttpTransport) -> None:
    with always(b"123456") as server, pytest.raises(TooLarge):
        transport.get(server.url, limit=5)


def test_a_body_without_end_is_refused_while_it_is_read(transport: HttpTransport) -> None:
    def behave(caller: Caller) -> None:
        caller.request()
        caller.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not caller.leaving.is_set():
            caller.say(b"3e8\r\n" + b"x" * 1000 + b"\r\n")

    with RawServer(behave) as server, pytest.raises(TooLarge):
        transport.get(server.url, limit=100_000)


def test_a_head_that_never_ends_is_given_up(transport: HttpTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a stream, whose body may go on for ever."""
    monkeypatch.setattr("authserver.verifier.httptransport.HEAD_SECONDS", 0.3)

    def serve(caller: Caller) -> None:
        caller.request()
        caller.trickle(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    with RawServer(serve) as server, pytest.raises(TimedOut):
        transport.open(server.url)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\n\r\nno length, so that nobody could tell",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
)
def test_what_was_cut_off_is_no_answer(transport: HttpTransport, said: bytes) -> None:
    def behave(caller: Caller) -> None:
        caller.request()
        caller.say(said)

    with RawServer(behave) as server, pytest.raises(TransportError):
        transport.get(server.url, limit=100)


# -- time ---------------------------------------------------------------------------------------


def test_silence_ends_a_request(transport: HttpTransport) -> None:
    def behave(caller: Caller) -> None:
        caller.request()
        caller.wait()

    started = time.monotonic()
    with RawServer(behave) as server, pytest.raises(TimedOut):
        transport.get(server.url, limit=10, timeout=0.1)
    assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"y" * 1000]
)
def test_a_trickle_does_not_outlast_the_deadline(transport: HttpTransport, said: bytes) -> None:
    """A byte now and then is never silent; in the head as in the body."""

    def behave(caller: Caller) -> None:
        caller.request()
        head, end, body = said.partition(b"\r\n\r\n")
        caller.say((head + end)[:20])
        caller.trickle((head + end)[20:] + body)

    started = time.monotonic()
    with RawServer(behave) as server, pytest.raises(TimedOut):
        transport.get(server.url, limit=10_000, timeout=0.15, deadline=0.2)
    assert time.monotonic() - started < 4


def test_a_stream_has_no_deadline_but_may_not_be_silent(transport: HttpTransport) -> None:
    def behave(caller: Caller) -> None:
        caller.request()
        caller.say(b"HTTP/1.1 200 OK\r\n\r\n")
        caller.trickle(b"abcdefghij")
        caller.wait()

    received: list[bytes] = []
    with RawServer(behave) as server, transport.open(server.url, timeout=0.1) as download, pytest.raises(TimedOut):
        deque(map(received.append, download.pieces()))
    assert b"".join(received) == b"abcdefghij"


@pytest.mark.parametrize("chunked", [True, False])
def test_pieces_come_as_they_arrive(transport: HttpTransport, chunked: bool) -> None:
    read = threading.Event()

    def behave(caller: Caller) -> None:
        caller.request()
        caller.say(
            b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n" if chunked else b"\r\none")
        )
        read.wait(5)
        caller.say(b"3\r\ntwo\r\n0\r\n\r\n" if chunked else b"two")

    with RawServer(behave) as server, transport.open(server.url) as download:
        pieces = download.pieces()
        assert next(pieces) == b"one"
        read.set()
        assert next(pieces) == b"two"
        assert list(pieces) == []


# -- connections --------------------------------------------------------------------------------


def test_a_connection_is_used_again(transport: HttpTransport) -> None:
    with always(b"hello") as server:
        for _ in range(3):
            assert transport.get(server.url, limit=10).body == b"hello"
        assert server.connections == 1


def test_a_connection_that_was_not_read_to_its_end_is_not_used_again(transport: HttpTransport) -> None:
    with always(b"hello") as server:
        with transport.open(server.url):
            pass
        with pytest.raises(TooLarge):
            transport.get(server.url, limit=1)
        assert transport.get(server.url, limit=10).body == b"hello"
        assert server.connections == 3


def test_a_connection_that_the_server_closed_meanwhile_costs_no_request(transport: HttpTransport) -> None:
    def behave(caller: Caller) -> None:
        caller.request()
        caller.answer(b"hello")

    with RawServer(behave) as server:
        for _ in range(3):
            assert transport.get(server.url, limit=10).body == b"hello"
        assert server.connections == 3


def test_a_child_leaves_its_parents_connections_alone(transport: HttpTransport) -> None:
    with always(b"hello") as server:
        transport.get(server.url, limit=10)
        if (child := os.fork()) == 0:
            done = transport.get(server.url, limit=10).body == b"hello"
            transport.close()
            os._exit(0 if done else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert transport.get(server.url, limit=10).body == b"hello"
        assert server.connections == 2


def test_a_child_that_closes_its_copy_ends_nothing_of_its_parents(transport: HttpTransport) -> None:
    """A connection under way is shared between the two; shutting it down would be for both."""
    closed = threading.Event()

    def behave(caller: Caller) -> None:
        caller.request()
        caller.say(b"HTTP/1.1 200 OK\r\n\r\none")
        closed.wait(5)
        caller.say(b"two")

    with RawServer(behave) as server, transport.open(server.url) as download:
        pieces = download.pieces()
        assert next(pieces) == b"one"
        if (child := os.fork()) == 0:
            transport.close()
            os._exit(0)
        os.waitpid(child, 0)
        closed.set()
        assert next(pieces) == b"two"


# -- closing ------------------------------------------------------------------------------------


def _silent(caller: Caller) -> None:
    caller.request()
    caller.say(b"HTTP/1.1 200 OK\r\n\r\nx")
    caller.wait()


def test_closing_ends_what_another_thread_waits_for(transport: HttpTransport) -> None:
    with RawServer(_silent) as server:
        threading.Timer(0.1, transport.close).start()
        started = time.monotonic()
        with transport.open(server.url, timeout=10) as download:
            list(download.pieces())
        assert time.monotonic() - started < 4
        with pytest.raises(TransportClosed):
            transport.get(server.url, limit=1)


def test_one_download_can_be_closed_by_another_thread(transport: HttpTransport) -> None:
    with RawServer(_silent) as server, transport.open(server.url, timeout=10) as download:
        threading.Timer(0.1, download.close).start()
        with pytest.raises(TransportClosed):
            list(download.pieces())
