"""An answer to one of our requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, whole, of any status but a redirect."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; of repeated ones the last."""
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """In lower case, without parameters; "" when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()
