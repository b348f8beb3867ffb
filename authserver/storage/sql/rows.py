"""Rows to records and back. A row holds the columns of its table in their order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from typing import Any

from sqlalchemy import Table

from authserver.model.account import User
from authserver.model.audit import AuditEvent
from authserver.model.client import Client, ClientSecret
from authserver.model.grant import Family, Terms
from authserver.model.key import SigningKey
from authserver.model.session import Session
from authserver.storage.sql import tables

Row = Sequence[Any]


def names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


def columns(table: Table, prefix: str = "") -> str:
    """The columns of a table for the text of a hot statement."""
    return ", ".join(f"{prefix}{name}" for name in names(table))


FAMILY, SESSION, CLIENT = names(tables.families), names(tables.sessions), names(tables.clients)
USER, KEY, AUDIT = names(tables.users), names(tables.signing_keys), names(tables.audit)
SECRET = ("id", "sha256", "created_at", "expires_at")
OPTIONS = {item.name: item.default for item in fields(Client) if item.name not in (*CLIENT, "secrets")}
"""The fields of a client that share the column `options`, and their defaults."""
CLIENT_LISTS = ("grant_types", "scopes", "resources", "audiences", "redirect_uris")


def dumped(value: object) -> str:
    """Compact JSON text; sorted, so that equal values are equal text; ASCII, so that what no database takes as text
    (half a surrogate pair, which JSON from outside may hold) is kept as it came."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def as_values(record: Any, table: Table) -> dict[str, Any]:
    """A record as the values of its row; tuples and mappings become JSON."""
    known = {field.name for field in fields(record)}
    values = {name: getattr(record, name) for name in names(table) if name in known}
    return {name: dumped(value) if isinstance(value, tuple | dict) else value for name, value in values.items()}


def client_values(client: Client) -> dict[str, Any]:
    options = {name: getattr(client, name) for name in OPTIONS}
    kept = {name: value for name, value in options.items() if value != OPTIONS[name]}
    return as_values(client, tables.clients) | {"options": dumped(kept)}


def family_values(family: Family) -> dict[str, Any]:
    return as_values(family, tables.families) | {"terms": _terms_text(family.terms)}


@lru_cache(maxsize=4096)
def listed(text: str) -> tuple[str, ...]:
    """A JSON list; scopes and audiences are the same few texts again and again."""
    return tuple(json.loads(text))


def _read(row: Row, keys: Sequence[str], lists: Sequence[str]) -> dict[str, Any]:
    values = dict(zip(keys, row, strict=False))
    for name in lists:
        values[name] = listed(values[name])
    return values


def family(row: Row) -> Family:
    values = _read(row, FAMILY, ("scope", "resources", "amr"))
    return Family(**values | {"terms": terms(values["terms"])})


_PLAIN = Terms()


def terms(text: str) -> Terms:
    if text == "{}":
        return _PLAIN
    values = json.loads(text)
    if "authorization_details" in values:
        values["authorization_details"] = tuple(values["authorization_details"])
    return Terms(**values)


def _terms_text(terms: Terms) -> str:
    if terms.is_plain:
        return "{}"
    plain = asdict(_PLAIN)
    return dumped({name: value for name, value in asdict(terms).items() if value != plain[name]})


def session(row: Row) -> Session:
    return Session(**_read(row, SESSION, ("amr",)))


def user(row: Row) -> User:
    values = dict(zip(USER, row, strict=False))
    return User(**values | {"enabled": bool(values["enabled"]), "claims": json.loads(values["claims"])})


def secret(row: Row) -> ClientSecret:
    return ClientSecret(**dict(zip(SECRET, row, strict=False)))


def client(row: Row, secrets: tuple[ClientSecret, ...]) -> Client:
    values = _read(row, CLIENT, CLIENT_LISTS)
    values |= {"first_party": bool(values["first_party"]), "enabled": bool(values["enabled"]), "secrets": secrets}
    return Client(**values | _options(values.pop("options")))


def _options(text: str) -> dict[str, Any]:
    """What a newer version wrote and this one does not know is left out, so that both can run side by side."""
    if text == "{}":
        return {}
    options = {name: value for name, value in json.loads(text).items() if name in OPTIONS}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def key(row: Row) -> SigningKey:
    return SigningKey(**dict(zip(KEY, row, strict=False)))


def event(row: Row) -> AuditEvent:
    values = dict(zip(AUDIT, row, strict=False))
    return AuditEvent(**values | {"detail": json.loads(values["detail"])})


def event_values(event: AuditEvent) -> Mapping[str, Any]:
    return as_values(event, tables.audit) | {"detail": dumped(dict(event.detail))}
