"""Clients as a file declares them: parsed TOML in, records and vocabularies out, or every fault at once.

Pure. A declaration says everything about a client: a field that is left out has its default, so that one file
gives the same clients whatever stood there before. Only `enabled` is left as it is where the file is silent:
what an operator switched off in an emergency must not come back with the next roll-out.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from authserver.administration.client_fields import with_defaults
from authserver.administration.client_rules import check_client
from authserver.administration.client_uris import resource
from authserver.administration.client_words import client_id, scope
from authserver.administration.fields import Reader
from authserver.administration.profiles import settled
from authserver.model.client import Client
from authserver.model.duration import parse_duration
from authserver.model.inputs import InvalidField, text, truth
from authserver.model.time import SECOND

TABLES: Final = ("clients", "scopes", "resources")
"""Names at the top of a file that are declarations; the others in `authserver.toml` are settings."""

DECLARED_IN: Final = {"scopes": "scopes", "resources": "resources", "audiences": "resources"}
"""Which vocabulary the items of a client's field must stand in."""

WORDS: Final[Mapping[str, Reader]] = {"scopes": scope, "resources": resource}
"""How the names in a vocabulary are read."""

LONGEST_REMARK = 500


@dataclass(frozen=True, slots=True)
class ClientRules:
    """What depends on the server in the rules for clients."""

    readers: Mapping[str, Reader]
    """Those of the client directory."""
    can_administer: Callable[[Client], bool]


@dataclass(frozen=True, slots=True)
class Fault:
    where: str
    """The table, and the client in it by its id, or by its place where it has none."""
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


class BadDeclarations(Exception):
    """What is declared cannot be; `faults` are all the reasons, in the order of the file."""

    def __init__(self, faults: Collection[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Declarations:
    clients: tuple[Client, ...]
    """Without times, versions and secrets; those are not declared."""
    switched: frozenset[str]
    """Ids of the clients whose declaration says whether they are enabled."""


def read_declarations(document: Mapping[str, object], rules: ClientRules, settings: Collection[str]) -> Declarations:
    """Raises BadDeclarations. `settings`: names that may stand beside the tables and mean nothing here."""
    reading = _Reading(rules)
    reading.names(document, settings)
    for table, word in WORDS.items():
        reading.vocabulary(table, document.get(table), word)
    clients = [client for client in map(reading.client, *reading.tables(document.get("clients", []))) if client]
    if reading.faults:
        raise BadDeclarations(reading.faults)
    return Declarations(tuple(clients), frozenset(reading.switched))


def nearest(name: str, known: Collection[str]) -> str:
    """What a misspelt name may have meant, as the end of a sentence."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


@dataclass(slots=True)
class _Reading:
    """One pass over a file. Faults are gathered, not raised: whoever mends the file wants to see all of them."""

    rules: ClientRules
    faults: list[Fault] = field(default_factory=list)
    known: dict[str, frozenset[str]] = field(default_factory=dict)
    """The vocabularies that the file declares."""
    switched: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def names(self, document: Mapping[str, object], settings: Collection[str]) -> None:
        known = [*TABLES, *settings]
        for name in document:
            if name not in known:
                self._fault(name, f"there is no such table or setting{nearest(name, known)}")

    def vocabulary(self, table: str, declared: object, word: Reader) -> None:
        if declared is None:
            return
        if not isinstance(declared, Mapping):
            self._fault(table, f'must be a table: [{table}] with lines such as name = "what it is"')
            return
        self.known[table] = frozenset(declared)
        for name, remark in declared.items():
            where = f'{table} "{name}"'
            self._try(where, word, "its name", name)
            self._try(where, _remark, "its text", remark)

    def tables(self, declared: object) -> tuple[Collection[int], Collection[Mapping[str, object]]]:
        """The clients' tables with their places, counted from 1."""
        if not isinstance(declared, list) or not all(isinstance(table, Mapping) for table in declared):
            self._fault("clients", "must be tables, one for each client: [[clients]]")
            declared = []
        return range(1, len(declared) + 1), declared

    def client(self, place: int, table: Mapping[str, object]) -> Client | None:
        before = len(self.faults)
        named = self._id(place, table)
        where = f"clients, table {place}" if named is None else f'clients "{named}"'
        fields = dict(self._fields(where, table))
        self._check_words(where, fields)
        if named is None or len(self.faults) > before:
            return None
        if "enabled" in fields:
            self.switched.add(named)
        client = Client(id=named, **{"name": named, **with_defaults(fields)})
        client = settled(client, fields, self.rules.readers)
        self._try(where, check_client, client)
        return client

    def _id(self, place: int, table: Mapping[str, object]) -> str | None:
        where = f"clients, table {place}"
        if "id" not in table:
            self._fault(where, "id is required")
            return None
        named: str | None = self._try(where, client_id, "id", table["id"])
        if named is not None:
            if named in self.seen:
                self._fault(f'clients "{named}"', f"id is declared twice, again in table {place}")
            self.seen.add(named)
        return named

    def _fields(self, where: str, table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
        readers = {**self.rules.readers, "enabled": truth, "access_token_ttl": self._lifetime}
        for name, value in table.items():
            if name == "id":
                continue
            if name not in readers:
                self._fault(where, f"{name} is not a field of a client{nearest(name, readers)}")
                continue
            before = len(self.faults)
            read = self._try(where, readers[name], name, value)
            if len(self.faults) == before:
                yield name, read

    def _lifetime(self, field: str, value: object) -> object:
        """Whole seconds as in the admin API, or with a unit as in the settings, which may stand in the same file."""
        if isinstance(value, str):
            try:
                value, rest = divmod(parse_duration(value), SECOND)
            except ValueError:
                rest = SECOND
            if rest:
                raise InvalidField(field, 'must be whole seconds, or have a unit: "90s", "5m", "1h"')
        return self.rules.readers[field](field, value)

    def _check_words(self, where: str, fields: Mapping[str, Any]) -> None:
        for name, table in DECLARED_IN.items():
            known = self.known.get(table)
            if known is None:
                continue
            for item in fields.get(name, ()):
                if item not in known:
                    self._fault(where, f'{name} names "{item}", which [{table}] does not{nearest(item, known)}')

    def _try(self, where: str, read: Callable[..., Any], *arguments: object) -> Any:
        try:
            return read(*arguments)
        except InvalidField as error:
            self._fault(where, error.description)

    def _fault(self, where: str, problem: str) -> None:
        self.faults.append(Fault(where, problem))


def _remark(field: str, value: object) -> str:
    """For the people who read the file; it may be empty."""
    return text(field, value, longest=LONGEST_REMARK, shortest=0)
