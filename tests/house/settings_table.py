"""The table of docs/settings.md, from the settings themselves: `python -m tests.house.settings_table` prints it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from authserver.model.duration import show_duration
from authserver.settings import Settings, durations

DEFAULTS_IN_WORDS = {"password_threads": "cores - 1, at least 1"}


def table() -> str:
    rows = ["| setting | values | default | what |", "|---|---|---|---|"]
    rows += [_row(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join(rows)


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{name.upper()}` | {_values(name, field)} | {_default(name, field)} | {field.description} |"


def _values(name: str, field: FieldInfo) -> str:
    bounds = [_bound(name, m) for m in field.metadata if hasattr(m, "ge") or hasattr(m, "le")]
    return ", ".join([_kind(name, field.annotation), *bounds])


def _kind(name: str, annotation: Any) -> str:
    if name in durations():
        return "duration"
    if get_origin(annotation) is Literal:
        return " \\| ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is tuple and get_origin(get_args(annotation)[0]) is Literal:
        return "some of " + ", ".join(f"`{value}`" for value in get_args(get_args(annotation)[0]))
    if annotation == tuple[str, ...]:
        return "words with commas"
    if name in ("resource_tokens", "trusted_issuers"):
        return "tables"
    names = {bool: "`true` \\| `false`", int: "number", str: "text", Path: "path"}
    return names.get(annotation) or (
        "networks" if name == "trusted_proxies" else "path" if "Path" in str(annotation) else "text"
    )


def _bound(name: str, bound: Any) -> str:
    word, value = ("at least", bound.ge) if hasattr(bound, "ge") else ("at most", bound.le)
    return f"{word} {show_duration(value) if name in durations() and value else value}"


def _default(name: str, field: FieldInfo) -> str:
    if name in DEFAULTS_IN_WORDS:
        return DEFAULTS_IN_WORDS[name]
    value = field.default
    if value is None or value == ():
        return "none"
    if name in durations():
        return f"`{show_duration(value)}`" if value else "`0`"
    if isinstance(value, tuple):
        value = ",".join(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    print(table())
