"""Cursor pages: stable under inserts, no offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    limit: int = 50
    """1 to 200."""
    after: str | None = None
    """The key of the last item of the page before; None for the first page."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    next_after: str | None
    """Pass as `after` for the next page; None: this was the last one."""
