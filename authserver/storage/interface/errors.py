"""Why a store does not do what it was asked."""

from __future__ import annotations


class StorageUnavailable(Exception):
    """The database cannot answer now: down, restarting, read-only, full, or its pool is exhausted."""


class AlreadyExists(Exception):
    """A unique name is taken."""
