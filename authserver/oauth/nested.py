"""JSON inside a parameter: one reading, bounded, and nothing that a database could not keep."""

from __future__ import annotations

from authserver.verifier.strict import Malformed, json_value

MAX_CHARS = 8192
MAX_DEPTH = 8


class NotReadable(ValueError):
    """The text says why, in words that may be public."""


def read_json_value(text: str, *, longest: int = MAX_CHARS) -> object:
    """The value of a JSON text; raises NotReadable for one too long or deep, with repeated members, with numbers or
    texts that not everybody reads alike."""
    if len(text) > longest:
        raise NotReadable("is too long")
    try:
        value: object = json_value(text.encode())
    except (Malformed, UnicodeEncodeError):
        raise NotReadable("is not valid JSON") from None
    _check(value, MAX_DEPTH)
    return value


def _check(value: object, depth: int) -> None:
    if depth == 0:
        raise NotReadable("is nested too deeply")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name)
            _check(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth - 1)


def _check_text(text: str) -> None:
    """Escapes can bring in what UTF-8 or a database cannot hold."""
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise NotReadable("contains a NUL character or half of a surrogate pair")
