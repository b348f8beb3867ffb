"""Requests that others make this server send: to nobody's inside, and to an end (ATTACKS G).

Whatever fetches an address that a client names (`jwks_uri`, metadata, log-out, sector identifiers) does it through
`Outgoing`; what holds here holds for all of them.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence
from time import monotonic

import pytest

from authserver.outgoing import Outgoing, OutgoingFailed, OutgoingRefused, SystemResolver, read_document
from tests.strangers import answer, stranger

FORMS = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.0x1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/",
    "https://10.0.0.1/",
    "https://192.168.0.1/",
    "https://100.100.100.200/",
    "https://metadata.google.internal/",
    "https://localhost/",
    "https://localhost./",
    "https://a.localhost/",
    "https://printer.local/",
    "https://inside/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://127.0.0.1\\@example.com/",
    "http://example.com/",
    "file:///etc/passwd",
    "https://[fe80::1%25lo]/",
]


@pytest.mark.parametrize("url", FORMS)
async def test_no_spelling_of_an_inside_address_is_asked(url: str) -> None:
    looked_up: list[str] = []

    async def resolve(name: str) -> Sequence[str]:
        looked_up.append(name)
        return ["127.0.0.1"]

    with pytest.raises(OutgoingRefused):
        await Outgoing(resolve, timeout=1000).get(url)
    assert looked_up == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%2"],
        ["1.1.1.1", "127.0.0.1"],
        ["not an address"],
    ],
)
async def test_a_public_name_for_an_inside_address_is_refused(addresses: list[str]) -> None:
    async def resolve(name: str) -> Sequence[str]:
        return addresses

    with pytest.raises(OutgoingRefused, match="public Internet"):
        await Outgoing(resolve, timeout=1000).get("https://innocent.example.com/")


async def test_a_name_that_means_another_address_the_second_time_is_looked_up_once() -> None:
    """DNS rebinding: public when it is judged, inside when it is connected to."""
    answers = iter([["192.0.2.1"], ["127.0.0.1"]])
    asked: list[str] = []

    async def resolve(name: str) -> Sequence[str]:
        asked.append(name)
        return next(answers)

    async with stranger(answer()) as inside:
        with pytest.raises(OutgoingRefused):
            await Outgoing(resolve, timeout=500).get(f"https://rebinding.example.com:{inside.port}/")
        # The same with an address that may be asked: the connection goes there, or nowhere.
        asked.clear()
        public = iter([["1.1.1.1"], ["127.0.0.1"]])

        async def first_public(name: str) -> Sequence[str]:
            asked.append(name)
            return next(public)

        with pytest.raises((OutgoingRefused, OutgoingFailed)):
            await Outgoing(first_public, timeout=500).get(f"https://rebinding.example.com:{inside.port}/")
    assert asked == ["rebinding.example.com"]
    assert inside.connections == 0


async def test_plain_http_reaches_this_machine_alone_even_where_it_may() -> None:
    async def resolve(name: str) -> Sequence[str]:
        return ["1.1.1.1"]

    with pytest.raises(OutgoingRefused, match="public Internet"):
        await Outgoing(resolve, timeout=500, allow_loopback=True).get("http://localhost:81/")


async def test_a_redirect_is_not_followed() -> None:
    async with stranger(answer(b"secret")) as inside:
        location = f"http://127.0.0.1:{inside.port}/"
        async with stranger(answer(b"", "302 Found", Location=location)) as outside:
            with pytest.raises(OutgoingRefused, match="redirect"):
                await _local().get(f"http://127.0.0.1:{outside.port}/")
    assert (outside.connections, inside.connections) == (1, 0)


def _local(timeout: int = 3000) -> Outgoing:
    return Outgoing(SystemResolver(), timeout=timeout, allow_loopback=True)


async def test_megabytes_are_cut_whether_they_are_announced_or_not() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        for _ in range(64 * 64):
            writer.write(b"x" * 16_384)
            await writer.drain()
            sent += 16_384

    async with stranger(flood) as other:
        with pytest.raises(OutgoingRefused, match="too much"):
            await _local().get(f"http://127.0.0.1:{other.port}/", max_bytes=5000)
    assert sent < 16_000_000  # what the system's buffers take, and not the 64 MB that were on their way
    async with stranger(answer(b"x" * 5_000_000)) as other:
        with pytest.raises(OutgoingRefused, match="too much"):
            await _local().get(f"http://127.0.0.1:{other.port}/", max_bytes=5000)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000 + answer(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"1;" + b"e" * 4000 + b"\r\nx\r\n") * 50,
    ],
    ids=["one long header", "many headers", "many interim answers", "long chunk extensions"],
)
async def test_a_head_without_end_is_cut(head: bytes) -> None:
    async with stranger(head) as other:
        with pytest.raises((OutgoingRefused, OutgoingFailed)):
            await _local().get(f"http://127.0.0.1:{other.port}/", max_bytes=5000)


@pytest.mark.parametrize("where", ["head", "body"])
async def test_who_sends_a_byte_at_a_time_is_left_when_the_time_is_up(where: str) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 5000\r\n\r\n" if where == "body" else b""))
        for _ in range(200):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with stranger(trickle) as other:
        started = monotonic()
        with pytest.raises(OutgoingFailed, match="in time"):
            await _local(timeout=400).get(f"http://127.0.0.1:{other.port}/")
    assert monotonic() - started < 6


async def test_who_accepts_and_says_nothing_is_left_when_the_time_is_up() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with stranger(silence) as other:
        with pytest.raises(OutgoingFailed, match="in time"):
            await _local(timeout=300).get(f"http://127.0.0.1:{other.port}/")


async def test_a_compressed_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    async with stranger(answer(bomb, Content_Encoding="gzip")) as other:
        with pytest.raises(OutgoingRefused, match="encoded"):
            await _local().get(f"http://127.0.0.1:{other.port}/")


async def test_json_a_hundred_levels_deep_is_refused() -> None:
    async with stranger(answer(b"[" * 100 + b"]" * 100)) as other:
        fetched = await _local().get(f"http://127.0.0.1:{other.port}/")
    with pytest.raises(OutgoingRefused, match="deeply"):
        read_document(fetched)


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stranger(answer(b"proxy")) as proxy, stranger(answer(b"peer")) as other:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await _local().get(f"http://127.0.0.1:{other.port}/")).body == b"peer"
    assert proxy.connections == 0
