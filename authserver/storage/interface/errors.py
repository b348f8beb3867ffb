"""Why a store does not do what it was asked."""

from __future__ import annotations


class StorageUnavailable(Exception):
    """The database cannot answer now: down, restarting, read-only, full, or its pool is exhausted.

    A change may have been made nevertheless: its answer can be lost on the way.
    """


class AlreadyExists(Exception):
    """A unique name is taken."""


class KeyIsUsed(Exception):
    """The key signs at this moment: only its replacement withdraws it."""
