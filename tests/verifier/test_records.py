"""Records have one spelling, and a chain that breaks with any change."""

from __future__ import annotations

import hashlib

import pytest

from authserver.verifier.records import Malformed, chain_start, chained, key_of, parse_record, parse_records

LINE = b'{"s":257,"t":"sid","k":"Hjw2OG4nVbUvqmJWzy2p3Q","v":0,"x":1790000000}'


def test_a_record_is_read() -> None:
    record = parse_record(LINE)
    assert (record.seq, record.kind, record.version, record.expires) == (257, "sid", 0, 1790000000)
    assert record.key == bytes.fromhex("1e3c36386e2755b52faa6256cf2da9dd")
    assert record.line == LINE


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        LINE + b" ",
        LINE + b"\n",
        b" " + LINE,
        LINE.replace(b":", b": "),
        LINE.replace(b"257", b"0257"),
        LINE.replace(b"257", b"-1"),
        LINE.replace(b"257", b"2.5"),
        LINE.replace(b"257", b"1e3"),
        LINE.replace(b"257", b"9" * 16),
        LINE.replace(b"257", "٣".encode()),
        LINE.replace(b'"sid"', b'"aud"'),
        LINE.replace(b'"sid"', b'"SID"'),
        LINE.replace(b"3Q", b"3R"),  # the same bytes in another spelling
        LINE.replace(b"3Q", b"3Q=="),
        LINE.replace(b"3Q", b"3"),
        LINE.replace(b"Hjw2", b"Hj/2"),
        LINE.replace(b'"v":0,', b""),
        LINE.replace(b'"v":0', b'"v":0,"v":1'),
        LINE.replace(b'"v":0', b'"v":true'),
        b'{"t":"sid","s":257,"k":"Hjw2OG4nVbUvqmJWzy2p3Q","v":0,"x":1790000000}',
    ],
)
def test_nothing_else_is_a_record(line: bytes) -> None:
    with pytest.raises(Malformed):
        parse_record(line)


def test_lines_end_with_a_newline_so_that_a_cut_is_seen() -> None:
    assert len(parse_records(LINE + b"\n" + LINE + b"\n")) == 2
    assert parse_records(b"") == []
    for cut in (LINE, LINE + b"\n" + LINE[:-5], LINE + b"\n\n" + LINE + b"\n"):
        with pytest.raises(Malformed):
            parse_records(cut)


def test_a_key_tells_kinds_issuers_and_values_apart() -> None:
    assert key_of("sid", "https://a", "x") == hashlib.sha256(b"sid|https://a|x").digest()[:16]
    assert len({key_of(kind, issuer, "x") for kind in ("sid", "sub") for issuer in ("https://a", "https://b")}) == 4


def test_the_chain_is_what_docs_feed_md_says() -> None:
    first = hashlib.sha256(b"5c0b7e0f2f6a4d11").digest()
    assert chain_start("5c0b7e0f2f6a4d11") == first
    assert chained(first, [parse_record(LINE)]) == hashlib.sha256(first + LINE).digest()
