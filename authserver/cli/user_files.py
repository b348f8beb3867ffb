"""Files of users: CSV with a header, or JSON lines, told apart by their first character.

Each line is read for itself: a bad one is reported with its number and does not touch the others.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TextIO

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from argon2.low_level import Type

from authserver.administration.user_claims import claims as read_claims
from authserver.model.inputs import InvalidField

FIELDS: Final = frozenset({"username", "password", "password_hash", "enabled", "claims"})
IGNORED: Final = frozenset({"id", "created_at", "updated_at"})
"""What `users export` writes and an import makes anew."""

MAX_MEMORY_KIB: Final = 1024 * 1024
MAX_PASSES: Final = 16
MAX_LANES: Final = 16
"""Bounds on a foreign hash: whoever writes the file must not decide what a log-in costs this server."""

_SWITCH: Final = {"true": True, "yes": True, "1": True, "": True, "false": False, "no": False, "0": False}


class LineError(Exception):
    """One line that cannot be a user; the text says why and holds no password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLine:
    number: int
    """Line in the file, from 1; in CSV the header is line 1."""
    username: str
    password: str | None = field(default=None, repr=False)
    password_hash: str | None = field(default=None, repr=False)
    enabled: bool = True
    claims: Mapping[str, object] = field(default_factory=dict, repr=False)


def read_users(file: TextIO) -> Iterator[UserLine | tuple[int, LineError]]:
    """The users of a file, in order; a bad line comes as its number and what is wrong with it."""
    for number, record in _records(file):
        try:
            if isinstance(record, LineError):
                raise record
            yield _user(number, record)
        except LineError as error:
            yield number, error


def check_hash(text: str) -> str:
    """An argon2id hash in PHC string format whose cost is bearable; raises LineError for any other."""
    try:
        parameters = extract_parameters(text)
    except (InvalidHashError, ValueError, KeyError):
        raise LineError("password_hash is not an argon2 hash in PHC string format ($argon2id$v=19$m=...)") from None
    if parameters.type is not Type.ID:
        raise LineError("password_hash is not argon2id")
    if (
        parameters.memory_cost > MAX_MEMORY_KIB
        or parameters.time_cost > MAX_PASSES
        or parameters.parallelism > MAX_LANES
    ):
        raise LineError("password_hash asks for more memory or time than is allowed here")
    return text


def _records(file: TextIO) -> Iterator[tuple[int, dict[str, object] | LineError]]:
    first = file.readline()
    if first.lstrip("\ufeff \t").startswith("{"):
        yield from _json_lines([first], start=1)
        yield from _json_lines(file, start=2)
    elif first.strip():
        yield from _csv_lines(first, file)


def _json_lines(lines: Iterable[str], *, start: int) -> Iterator[tuple[int, dict[str, object] | LineError]]:
    for number, line in enumerate(lines, start):
        if not line.strip():
            continue
        try:
            record = json.loads(line.removeprefix("\ufeff"))
        except (ValueError, RecursionError):
            yield number, LineError("is not JSON")
            continue
        yield number, record if isinstance(record, dict) else LineError("is not a JSON object")


def _csv_lines(header: str, file: TextIO) -> Iterator[tuple[int, dict[str, object] | LineError]]:
    names = [name.strip() for name in next(csv.reader([header.removeprefix("\ufeff")]))]
    if "username" not in names:
        yield 1, LineError("the header must name the columns, at least username")
        return
    reader = csv.reader(file, strict=True)
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num + 1, LineError(f"is not CSV: {error}")
            continue
        if values:
            yield reader.line_num + 1, _named(names, values)


def _named(names: list[str], values: list[str]) -> dict[str, object] | LineError:
    if len(names) != len(values):
        return LineError(f"has {len(values)} values, the header has {len(names)}")
    return {name: value for name, value in zip(names, values, strict=True) if value != ""}


def _user(number: int, record: dict[str, object]) -> UserLine:
    unknown = sorted(set(record) - FIELDS - IGNORED)
    if unknown:
        raise LineError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(FIELDS))}")
    username = _text(record, "username")
    if username is None:
        raise LineError("username is missing")
    password, password_hash = _text(record, "password"), _text(record, "password_hash")
    if password is not None and password_hash is not None:
        raise LineError("has both password and password_hash")
    return UserLine(
        number=number,
        username=username,
        password=password,
        password_hash=check_hash(password_hash) if password_hash else None,
        enabled=_enabled(record),
        claims=_claims(record),
    )


def _claims(record: dict[str, object]) -> dict[str, object]:
    """An object, or in CSV the JSON text of one."""
    given = record.get("claims", {})
    try:
        return read_claims("claims", json.loads(given) if isinstance(given, str) else given)
    except InvalidField as error:
        raise LineError(error.description) from None
    except (ValueError, RecursionError):
        raise LineError("claims is not JSON") from None


def _text(record: dict[str, object], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise LineError(f"{name} is not text")
    return value or None


def _enabled(record: dict[str, object]) -> bool:
    value = record.get("enabled", True)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _SWITCH:
        return _SWITCH[value.strip().lower()]
    raise LineError("enabled is neither true nor false")
