"""What is wrong with a setting's value, in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_KINDS = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path",
}
"""Types of errors whose own sentence speaks of programs ("Input should be ...")."""


def fault(kind: str, context: Mapping[str, Any], message: str, show: Callable[[Any], str]) -> str:
    """From what pydantic says (`type`, `ctx`, `msg`); `show` writes a bound the way the value is written."""
    for bound, words in (("ge", "at least"), ("le", "at most")):
        if bound in context:
            return f"must be {words} {show(context[bound])}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    return _KINDS.get(kind, message.removeprefix("Value error, "))
