"""Statements of the hot paths: written once, compiled once per database, run on the driver's own connection.

Through SQLAlchemy's executor a statement costs four times as much CPU; see docs/decisions/0002-hot-statements.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Insert, Table, TextClause, bindparam, text
from sqlalchemy.types import BigInteger, LargeBinary, Text, TypeEngine

_TYPES: Mapping[type, TypeEngine[Any]] = {str: Text(), int: BigInteger(), bytes: LargeBinary()}


class Compiled(NamedTuple):
    sql: str
    order: tuple[str, ...]
    """The parameter behind each placeholder."""
    fixed: Mapping[str, Any]
    """Those that SQLAlchemy made of constants."""

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        given = {**self.fixed, **values}
        return [given[name] for name in self.order]


class HotStatement:
    """SQL text with `:name` parameters of the given Python types (str, int or bytes; None is a value too)."""

    def __init__(self, sql: str | Insert, *, writes: bool = False, **types: type) -> None:
        """`sql` may be put together by SQLAlchemy, too: its parameters have types already."""
        self.clause: TextClause | Insert = _typed(sql, types) if isinstance(sql, str) else sql
        self.writes = writes
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        known = self._compiled.get(dialect.name)
        if known is None:
            fresh: Any = self.clause.compile(dialect=dialect)
            fixed = {name: bind.effective_value for name, bind in fresh.binds.items() if not bind.required}
            known = self._compiled[dialect.name] = Compiled(str(fresh), tuple(fresh.positiontup), fixed)
        return known


class Step(NamedTuple):
    """Of a transaction (see `Database.hot_transaction`)."""

    statement: HotStatement
    values: Mapping[str, Any]


def _typed(sql: str, types: Mapping[str, type]) -> TextClause:
    return text(sql).bindparams(*(bindparam(name, type_=_TYPES[kind]) for name, kind in types.items()))


def inserting(table: Table, names: tuple[str, ...], *, conflict: str = "ON CONFLICT DO NOTHING") -> HotStatement:
    """One row, by these columns; `conflict` makes it safe to send twice. Returns the row's key, if it was written."""
    values = ", ".join(f":{name}" for name in names)
    (key,) = (column.name for column in table.primary_key)
    return HotStatement(
        f"INSERT INTO {table.name} ({quoted(names)}) VALUES ({values}) {conflict} RETURNING {key}",
        writes=True,
        **{name: table.c[name].type.python_type for name in names},
    )


def quoted(names: tuple[str, ...]) -> str:
    """A list of columns, some of which may be words of SQL."""
    return ", ".join(f'"{name}"' for name in names)
