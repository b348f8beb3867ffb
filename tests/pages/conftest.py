from __future__ import annotations

from tests.people import site, two_nodes

__all__ = ["site", "two_nodes"]
