"""Statements of the hot paths: written once, compiled once per database, run on the driver's own connection.

Through SQLAlchemy's executor a statement costs four times as much CPU; see docs/decisions/0002-hot-statements.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Dialect, TextClause, bindparam, text
from sqlalchemy.types import BigInteger, LargeBinary, Text, TypeEngine

_TYPES: Mapping[type, TypeEngine[Any]] = {str: Text(), int: BigInteger(), bytes: LargeBinary()}


class Compiled(NamedTuple):
    sql: str
    order: tuple[str, ...]
    """The parameter behind each placeholder."""

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        return [values[name] for name in self.order]


class HotStatement:
    """SQL text with `:name` parameters of the given Python types (str, int or bytes; None is a value too)."""

    def __init__(self, sql: str, *, writes: bool = False, **types: type) -> None:
        self.clause: TextClause = text(sql).bindparams(
            *(bindparam(name, type_=_TYPES[kind]) for name, kind in types.items())
        )
        self.writes = writes
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        known = self._compiled.get(dialect.name)
        if known is None:
            fresh: Any = self.clause.compile(dialect=dialect)
            known = self._compiled[dialect.name] = Compiled(str(fresh), tuple(fresh.positiontup))
        return known
