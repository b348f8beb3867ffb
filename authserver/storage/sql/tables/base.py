"""What every table is declared with."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData, Text

metadata = MetaData()

Id = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte, so that UUIDv7 sort by time on every database."""

BigIdentity = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite only numbers INTEGER PRIMARY KEYs by itself."""
