"""Named values from outside, each read by a function that names it when it refuses: a JSON body, a file, options."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping

from authserver.model.inputs import InvalidField, shown, whole_number
from authserver.model.time import SECOND, Duration

Reader = Callable[[str, object], object]

MOST_ITEMS = 100
FEW = 20


def read_fields(body: Mapping[str, object], readers: Mapping[str, Reader]) -> dict[str, object]:
    """Every field of `body` through its reader; raises InvalidField for one that has none."""
    for name in body:
        if name not in readers:
            raise InvalidField(shown(name), f"is not a field of this request{_instead(name, readers)}")
    return {name: readers[name](name, value) for name, value in body.items()}


def _instead(name: str, readers: Mapping[str, Reader]) -> str:
    """What may have been meant; of many names nobody reads all."""
    near = difflib.get_close_matches(name, readers, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are: {', '.join(readers)}" if len(readers) <= FEW else ""


def required(fields: Mapping[str, object], *names: str) -> None:
    for name in names:
        if name not in fields:
            raise InvalidField(name, "is required")


def one_of(*choices: str) -> Reader:
    def read(field: str, value: object) -> str:
        if value not in choices:
            raise InvalidField(field, f"must be one of {', '.join(choices)}")
        return str(value)

    return read


def several(read_one: Callable[[str, object], str], most: int = MOST_ITEMS) -> Reader:
    """A list without duplicates, as a tuple in the given order."""

    def read(field: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise InvalidField(field, f"must be a list of at most {most} strings")
        items = tuple(read_one(field, item) for item in value)
        if len(set(items)) != len(items):
            raise InvalidField(field, "names the same thing twice")
        return items

    return read


def seconds(least: int, most: int) -> Reader:
    """Whole seconds in, milliseconds out."""

    def read(field: str, value: object) -> Duration:
        return whole_number(field, value, least=least, most=most) * SECOND

    return read


def nullable(read_value: Reader) -> Reader:
    def read(field: str, value: object) -> object:
        return None if value is None else read_value(field, value)

    return read
