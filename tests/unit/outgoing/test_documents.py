"""JSON from strangers has one reading and few levels."""

from __future__ import annotations

import pytest

from authserver.outgoing import Fetched, OutgoingFailed, OutgoingRefused, read_document


def fetched(body: bytes = b"{}", status: int = 200, media_type: str = "application/json; charset=utf-8") -> Fetched:
    return Fetched(status, {"content-type": media_type}, body)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def test_a_document_is_read() -> None:
    assert read_document(fetched(b'{"a":[1,{"b":null}]}')) == {"a": [1, {"b": None}]}
    assert read_document(fetched(b"[]")) == []


@pytest.mark.parametrize("status", [201, 204, 304, 404, 500])
def test_only_200_is_a_document(status: int) -> None:
    with pytest.raises(OutgoingFailed, match=str(status)):
        read_document(fetched(status=status))


@pytest.mark.parametrize("media_type", ["", "text/html", "text/plain", "application/jose"])
def test_another_media_type_is_refused(media_type: str) -> None:
    with pytest.raises(OutgoingRefused, match="media type"):
        read_document(fetched(media_type=media_type))


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a":1,"a":2}', b"NaN", b'{"a":Infinity}', b"\xff", b"{} {}", nested(100_000)]
)
def test_what_is_no_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(OutgoingRefused):
        read_document(fetched(body))


def test_depth_is_bounded() -> None:
    assert read_document(fetched(nested(10))) is not None
    for levels in (11, 100, 900):
        with pytest.raises(OutgoingRefused, match="deeply"):
            read_document(fetched(nested(levels)))
    with pytest.raises(OutgoingRefused, match="deeply"):
        read_document(fetched(b'{"a":{"b":{"c":1}}}'), max_depth=2)
