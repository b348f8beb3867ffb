"""Query strings of lists: filters, limits and opaque cursors."""

from __future__ import annotations

import base64
import binascii
import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from starlette.requests import Request

from authserver.model.inputs import InvalidField, is_uuid, moment, shown, text
from authserver.model.page import Page, PageRequest
from authserver.model.time import Instant

T = TypeVar("T")
MOST = 200
DEFAULT = 50
_CHECK = 6
"""Bytes of a cursor that tell a mistyped one, or one of another listing. No secret: it protects from mistakes."""


class Query:
    """The parameters of one request; one that nothing asks for is refused, as is one given twice."""

    def __init__(self, request: Request, known: Iterable[str]) -> None:
        allowed = set(known)
        self._values: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name not in allowed:
                known_are = f"; known are: {', '.join(sorted(allowed))}" if allowed else ""
                raise InvalidField(shown(name), f"is not a parameter here{known_are}")
            if name in self._values:
                raise InvalidField(name, "is given twice")
            self._values[name] = value

    def text(self, name: str, longest: int = 200) -> str | None:
        value = self._values.get(name)
        return None if value is None else text(name, value, longest=longest)

    def search(self, name: str) -> str | None:
        """Part of a name, matched as it stands."""
        value = self.text(name)
        if value is not None and "%" in value:
            raise InvalidField(name, "is matched literally and takes no % wildcard")
        return value

    def uuid(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is not None and not is_uuid(value):
            raise InvalidField(name, "must be a UUID")
        return value

    def number(self, name: str, *, most: int) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdecimal() and len(value) <= 16 and int(value) <= most):
            raise InvalidField(name, f"must be a number from 0 to {most}")
        return int(value)

    def truth(self, name: str) -> bool | None:
        value = self._values.get(name)
        if value not in (None, "true", "false"):
            raise InvalidField(name, "must be true or false")
        return None if value is None else value == "true"

    def moment(self, name: str) -> Instant | None:
        value = self._values.get(name)
        if value is None:
            return None
        return moment(name, int(value) if value.isascii() and value.isdecimal() and len(value) < 16 else value)

    def choice(self, name: str, of: Iterable[str]) -> str | None:
        value, known = self._values.get(name), tuple(of)
        if value is not None and value not in known:
            raise InvalidField(name, f"must be one of {', '.join(known)}")
        return value

    def page(self, listing: str) -> PageRequest:
        """`limit` and `cursor`; `listing` keeps the cursor of one list out of another."""
        return PageRequest(limit=self._limit(), after=self._after(listing))

    def _limit(self) -> int:
        value = self._values.get("limit", str(DEFAULT))
        if not (value.isascii() and value.isdecimal() and len(value) <= 3 and 1 <= int(value) <= MOST):
            raise InvalidField("limit", f"must be a number from 1 to {MOST}")
        return int(value)

    def _after(self, listing: str) -> str | None:
        value = self._values.get("cursor")
        return None if value is None else open_cursor(listing, value)


PAGING = ("limit", "cursor")


def cursor(listing: str, after: str) -> str:
    key = after.encode()
    return base64.urlsafe_b64encode(_check(listing, key) + key).rstrip(b"=").decode("ascii")


def open_cursor(listing: str, value: str) -> str:
    try:
        if len(value) > 600:
            raise ValueError
        raw = base64.b64decode(value.encode("ascii") + b"=" * (-len(value) % 4), altchars=b"-_", validate=True)
        if raw[:_CHECK] != _check(listing, raw[_CHECK:]):
            raise ValueError
        after = raw[_CHECK:].decode()
        if any(unicodedata.category(character) == "Cc" for character in after):  # PostgreSQL takes no NUL
            raise ValueError
        return after
    except (ValueError, binascii.Error):
        raise InvalidField("cursor", "must be the next_cursor of a page of this list") from None


def page_body(listing: str, page: Page[T], render: Callable[[T], Mapping[str, object]]) -> dict[str, object]:
    """{"items": [...], "next_cursor": text or null}."""
    return {"items": [render(item) for item in page.items], "next_cursor": next_cursor(listing, page)}


def next_cursor(listing: str, page: Page[T]) -> str | None:
    return None if page.next_after is None else cursor(listing, page.next_after)


def _check(listing: str, key: bytes) -> bytes:
    return hashlib.sha256(listing.encode() + b"\0" + key).digest()[:_CHECK]
