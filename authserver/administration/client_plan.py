"""What it takes to make the stored clients those that are declared: pure, so that a plan can be shown and tested.

Undeclared clients are nobody's business unless pruning is asked for, and pruning never removes the
last client that can administer: a file that forgets it must not lock everybody out. Clients that
registered themselves are no file's business at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from authserver.administration.client_view import client_body, difference
from authserver.administration.declarations import BadDeclarations, ClientRules, Declarations, Fault
from authserver.model.client import Client, ClientSecret


@dataclass(frozen=True, slots=True)
class Change:
    before: Client
    """As it was when the plan was made; if it is another by now, the plan is void."""
    after: Client

    @property
    def fields(self) -> dict[str, dict[str, object]]:
        """What differs, "from" and "to", in the names and shapes of the admin API."""
        return difference(self.before, self.after)


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
    if prune and not declared.clients:
        raise BadDeclarations([Fault("clients", "none is declared, and pruning would remove every client")])
    before = {client.id: client for client in stored}
    changes = [_change(client, before[client.id], declared) for client in declared.clients if client.id in before]
    new = tuple(client for client in declared.clients if client.id not in before)
    ids = {client.id for client in declared.clients}
    rest = [client for client in before.values() if client.id not in ids and client.origin == "admin"]
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


def declared_fields(client: Client) -> dict[str, object]:
    """The client as it can be declared, in the names and shapes of the admin API."""
    past = ("origin", "revocation_version", "created_at", "updated_at", "secrets")
    return {name: value for name, value in client_body(client).items() if name not in past}


def is_as_planned(before: Client, now: Client | None) -> bool:
    """Whether a client is still what the plan was made for. Its secrets may change meanwhile: no plan touches them."""
    return now is not None and replace(now, secrets=()) == replace(before, secrets=())


def _change(wanted: Client, before: Client, declared: Declarations) -> Change:
    """What is not declared stays: its past, its secrets and, where the file is silent, whether it is enabled."""
    after = replace(
        wanted,
        enabled=wanted.enabled if wanted.id in declared.switched else before.enabled,
        origin=before.origin,
        version=before.version,
        created_at=before.created_at,
        updated_at=before.updated_at,
        secrets=before.secrets,
    )
    return Change(before, after)


def _refuse_impossible(changes: list[Change], administers: Callable[[Client], bool], *, locked_out: bool) -> None:
    faults = []
    for change in changes:
        where = f'clients "{change.before.id}"'
        if change.after.is_public != change.before.is_public:
            problem = "auth_method cannot change between public and confidential; declare another client"
            faults.append(Fault(where, problem))
        elif change.after.auth_method == "client_secret_jwt" != change.before.auth_method:
            faults.append(Fault(where, "auth_method cannot become client_secret_jwt; declare another client"))
        elif locked_out and administers(change.before):
            problem = f"{' and '.join(change.fields)}: then no client could administer this server any more"
            faults.append(Fault(where, problem))
    if faults:
        raise BadDeclarations(faults)


def _with_secret(client: Client) -> Client:
    """As it will be stored: a new client that authenticates by a secret gets one that lasts."""
    lasting = ClientSecret(id="", sha256=b"", created_at=0)
    return replace(client, secrets=(lasting,)) if client.uses_secret else client
