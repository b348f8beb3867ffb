"""Requests to real sockets on this machine: what goes out, what comes back, and what is done with bad answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from authserver.outgoing import Outgoing, OutgoingFailed, OutgoingRefused, SystemResolver
from tests.strangers import Script, answer, authority, stranger

SECOND = 1000


async def nobody(name: str) -> Sequence[str]:
    raise OutgoingFailed("has a name that cannot be resolved")


async def here(name: str) -> Sequence[str]:
    return ["127.0.0.1"]


def outgoing(**different: object) -> Outgoing:
    return Outgoing(nobody, **{"timeout": 2 * SECOND, "allow_loopback": True, **different})  # type: ignore[arg-type]  # mixed values


async def test_an_answer_comes_back_whole_with_its_status_and_headers() -> None:
    async with stranger(answer(b'{"a":1}', "404 Not Found", ETag='"x"')) as other:
        fetched = await outgoing().get(f"http://127.0.0.1:{other.port}/doc?x=1")
    assert (fetched.status, fetched.body, fetched.media_type) == (404, b'{"a":1}', "application/json")
    assert fetched.headers["etag"] == '"x"'
    head = other.requests[0].lower()
    assert head.startswith(b"get /doc?x=1 http/1.1\r\n")
    assert f"host: 127.0.0.1:{other.port}\r\n".encode() in head
    assert b"accept-encoding: identity\r\n" in head
    assert b"cookie" not in head
    assert b"authorization" not in head


async def test_a_post_carries_its_body_and_type() -> None:
    async with stranger(answer(b"", "200 OK")) as other:
        fetched = await outgoing().post(f"http://127.0.0.1:{other.port}/", b"a=b", "application/x-www-form-urlencoded")
    assert fetched.body == b""
    assert other.requests[0].endswith(b"\r\n\r\na=b")
    assert b"content-type: application/x-www-form-urlencoded\r\n" in other.requests[0].lower()


async def test_a_body_in_chunks_is_put_together() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with stranger(chunked) as other:
        assert (await outgoing().get(f"http://127.0.0.1:{other.port}/")).body == b"abcde"


async def test_https_is_spoken_with_the_name_and_only_to_a_certificate_of_a_known_authority(tmp_path: Path) -> None:
    ca_file = str(authority().write(tmp_path / "ca.pem"))
    tls = authority().server(tmp_path, "keys.example.com")
    knowing = Outgoing(here, timeout=2 * SECOND, ca_file=ca_file, allow_loopback=True)
    unknowing = Outgoing(here, timeout=2 * SECOND, allow_loopback=True)
    async with stranger(answer(b"{}"), tls) as other:
        assert (await knowing.get(f"https://keys.example.com:{other.port}/")).status == 200
        with pytest.raises(OutgoingFailed, match="certificate"):
            await knowing.get(f"https://other.example.com:{other.port}/")
        with pytest.raises(OutgoingFailed, match="certificate"):
            await unknowing.get(f"https://keys.example.com:{other.port}/")
    assert len(other.requests) == 1


@pytest.mark.parametrize("chunked", [True, False])
async def test_the_limit_of_a_body_is_exact_also_where_its_length_is_not_announced(chunked: bool) -> None:
    for size, fits in ((100, True), (101, False)):
        framing = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)
        plain = b"\r\n" + b"x" * size
        async with stranger(b"HTTP/1.1 200 OK\r\n" + (framing if chunked else plain)) as other:
            asked = outgoing().get(f"http://127.0.0.1:{other.port}/", max_bytes=100)
            if fits:
                assert len((await asked).body) == size
            else:
                with pytest.raises(OutgoingRefused, match="too much"):
                    await asked


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_an_error(status: str) -> None:
    async with stranger(answer(b"", status, Location="http://127.0.0.1:1/")) as other:
        with pytest.raises(OutgoingRefused, match="redirect"):
            await outgoing().get(f"http://127.0.0.1:{other.port}/")


async def test_what_has_not_changed_is_no_redirect() -> None:
    async with stranger(answer(b"", "304 Not Modified", Content_Length="")) as other:
        fetched = await outgoing().get(f"http://127.0.0.1:{other.port}/", headers={"If-None-Match": '"x"'})
    assert fetched.status == 304
    assert b'if-none-match: "x"' in other.requests[0].lower()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_an_encoded_body_is_not_unpacked(encoding: str) -> None:
    async with stranger(answer(b"xxx", Content_Encoding=encoding)) as other:
        with pytest.raises(OutgoingRefused, match="encoded"):
            await outgoing().get(f"http://127.0.0.1:{other.port}/")


async def test_a_broken_answer_and_a_cut_one_are_failures() -> None:
    for script in (b"nonsense\r\n\r\n", b"", answer(b"{}", Content_Length="10"), b"HTTP/1.1 200 OK\r\nX"):
        async with stranger(script) as other:
            with pytest.raises(OutgoingFailed):
                await outgoing().get(f"http://127.0.0.1:{other.port}/")


async def test_a_closed_port_is_a_failure() -> None:
    async with stranger(b"") as other:
        port = other.port
    with pytest.raises(OutgoingFailed, match="connected"):
        await outgoing().get(f"http://127.0.0.1:{port}/")


async def test_the_time_limit_is_for_the_whole_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(name: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(OutgoingFailed, match="in time"):
        await Outgoing(slow, timeout=100).get("https://slow.example.com/")


async def test_the_next_address_of_a_name_is_tried_when_one_does_not_answer(tmp_path: Path) -> None:
    async def two(name: str) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    ca_file = str(authority().write(tmp_path / "ca.pem"))
    client = Outgoing(two, timeout=2 * SECOND, ca_file=ca_file, allow_loopback=True)
    async with stranger(answer(b"{}"), authority().server(tmp_path, "keys.example.com")) as other:
        assert (await client.get(f"https://keys.example.com:{other.port}/")).status == 200


async def test_the_systems_resolver_knows_this_machine_and_says_so_when_it_knows_nobody() -> None:
    resolver = SystemResolver()
    try:
        assert "127.0.0.1" in await resolver("localhost")
        with pytest.raises(OutgoingFailed, match="resolved"):
            await resolver("nobody.invalid")
    finally:
        await resolver.close()


async def test_nothing_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = asyncio.Event()

    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"x" * 100, Content_Length="1000000"))
        await reader.read()
        closed.set()

    script: Script = until_closed
    async with stranger(script) as other:
        with pytest.raises(OutgoingRefused):
            await outgoing().get(f"http://127.0.0.1:{other.port}/", max_bytes=50)
        await asyncio.wait_for(closed.wait(), 2)
