"""What it takes to make the stored clients those that are declared: pure, so that a plan can be shown and tested.

Undeclared clients are nobody's business unless pruning is asked for, and pruning never removes the
last client that can administer: a file that forgets it must not lock everybody out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from authserver.administration.declarations import BadDeclarations, ClientRules, Declarations, Fault
from authserver.model.client import Client, ClientSecret

FIELDS: Final = (
    "name",
    "auth_method",
    "grant_types",
    "scopes",
    "resources",
    "audiences",
    "redirect_uris",
    "first_party",
    "refresh_rotation",
    "access_token_ttl",
    "enabled",
)
"""What is declared and compared, in the order in which it is shown."""


@dataclass(frozen=True, slots=True)
class Change:
    before: Client
    """As it was when the plan was made; if it is another by now, the plan is void."""
    after: Client

    @property
    def fields(self) -> dict[str, tuple[object, object]]:
        """Name -> (from, to) of what differs."""
        pairs = {name: (getattr(self.before, name), getattr(self.after, name)) for name in FIELDS}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@dataclass(frozen=True, slots=True)
class Plan:
    new: tuple[Client, ...]
    changed: tuple[Change, ...]
    """Those that can administer afterwards come first: at no moment is there none."""
    removed: tuple[Client, ...]
    kept: tuple[Client, ...]
    """Undeclared clients that pruning leaves, because nobody could administer without them."""
    undeclared: tuple[Client, ...]
    """Left alone, for want of pruning."""
    unchanged: int

    @property
    def is_empty(self) -> bool:
        return not (self.new or self.changed or self.removed)


def make_plan(declared: Declarations, stored: Iterable[Client], rules: ClientRules, *, prune: bool) -> Plan:
    """Raises BadDeclarations for a change that no client can make, and for the loss of the last administrator."""
    before = {client.id: client for client in stored}
    changes = [_change(client, before[client.id], declared) for client in declared.clients if client.id in before]
    new = tuple(client for client in declared.clients if client.id not in before)
    ids = {client.id for client in declared.clients}
    rest = [client for client in before.values() if client.id not in ids]
    administers = rules.can_administer
    declared_one = any(map(administers, [*map(_with_secret, new), *(change.after for change in changes)]))
    kept = tuple(client for client in rest if prune and administers(client) and not declared_one)
    _refuse_impossible(changes, administers, locked_out=not (declared_one or any(map(administers, rest))))
    return Plan(
        new=new,
        changed=tuple(sorted((c for c in changes if c.fields), key=lambda change: not administers(change.after))),
        removed=tuple(client for client in rest if prune and client not in kept),
        kept=kept,
        undeclared=() if prune else tuple(rest),
        unchanged=sum(not change.fields for change in changes),
    )


def is_as_planned(before: Client, now: Client | None) -> bool:
    """Whether a client is still what the plan was made for. Its secrets may change meanwhile: no plan touches them."""
    return now is not None and replace(now, secrets=()) == replace(before, secrets=())


def _change(wanted: Client, before: Client, declared: Declarations) -> Change:
    fields: dict[str, Any] = {name: getattr(wanted, name) for name in FIELDS}
    enabled = wanted.enabled if wanted.id in declared.switched else before.enabled
    return Change(before, replace(before, **{**fields, "enabled": enabled}))


def _refuse_impossible(changes: list[Change], administers: Callable[[Client], bool], *, locked_out: bool) -> None:
    faults = []
    for change in changes:
        where = f'clients "{change.before.id}"'
        if change.after.is_public != change.before.is_public:
            problem = "auth_method cannot change between public and confidential; declare another client"
            faults.append(Fault(where, problem))
        elif locked_out and administers(change.before):
            problem = f"{' and '.join(change.fields)}: then no client could administer this server any more"
            faults.append(Fault(where, problem))
    if faults:
        raise BadDeclarations(faults)


def _with_secret(client: Client) -> Client:
    """As it will be stored: a new confidential client gets a secret that lasts."""
    return client if client.is_public else replace(client, secrets=(ClientSecret(id="", sha256=b"", created_at=0),))
