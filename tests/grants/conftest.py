"""The same sites as for attacks."""

from __future__ import annotations

from tests.attacks.conftest import keys_dir, site

__all__ = ["keys_dir", "site"]
