"""The parameters of an OAuth request (RFC 6749 section 3.2 and appendix B)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from authserver.oauth.errors import InvalidRequest

MAX_PARAMETERS = 100


@dataclass(frozen=True, slots=True)
class Form:
    """Parameters by name. One without a value counts as omitted; one that is never asked for is ignored."""

    first: Mapping[str, str] = field(default_factory=dict, repr=False)
    others: Mapping[str, list[str]] = field(default_factory=dict, repr=False)
    """The second and later values of repeated parameters."""

    def get(self, name: str) -> str | None:
        """The only value, None if omitted; raises InvalidRequest when there are several."""
        if name in self.others:
            raise InvalidRequest(f"{name} is repeated")
        return self.first.get(name)

    def require(self, name: str) -> str:
        """The only value; raises InvalidRequest when it is missing or repeated."""
        value = self.get(name)
        if value is None:
            raise InvalidRequest(f"{name} is missing")
        return value

    def all(self, name: str) -> list[str]:
        """Every value, for the parameters that may be repeated, such as `resource` (RFC 8707 section 2)."""
        return [self.first[name], *self.others.get(name, ())] if name in self.first else []

    @classmethod
    def parse(cls, body: bytes) -> Form:
        """Read application/x-www-form-urlencoded; raises InvalidRequest for anything but UTF-8 text."""
        try:
            text = body.decode()
            if text.count("&") >= MAX_PARAMETERS:
                raise InvalidRequest("the form has too many parameters")
            return _collect(text)
        except UnicodeDecodeError:
            raise InvalidRequest("the form is not UTF-8") from None


def _collect(text: str) -> Form:
    if "%00" in text or "\0" in text:
        raise InvalidRequest("the form contains a NUL character")
    first: dict[str, str] = {}
    others: dict[str, list[str]] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if not value:
            continue
        if "%" in pair or "+" in pair:
            name, value = _decode(name), _decode(value)
        if name in first:
            others.setdefault(name, []).append(value)
        else:
            first[name] = value
    return Form(first, others)


def _decode(text: str) -> str:
    return unquote_plus(text, errors="strict")
