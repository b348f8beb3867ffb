"""Carrying out a plan, client by client, by the verbs that the admin API uses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from authserver.administration.client_plan import Change, Plan, declared_fields, is_as_planned
from authserver.administration.clients import ClientDirectory
from authserver.model.audit import Caller
from authserver.model.client import Client
from authserver.model.errors import Conflict


@dataclass(frozen=True, slots=True)
class Done:
    """One client is now as declared."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    """Of a new confidential client, at the only moment at which it is known."""


async def carry_out(plan: Plan, directory: ClientDirectory, caller: Caller) -> AsyncIterator[Done]:
    """Each client when it is done, in transactions of its own. Stopped half-way, the next plan holds the rest.

    Raises Conflict when a client is not what it was when the plan was made; where that shows
    before the first change, nothing is changed.
    """
    await _check_all(plan, directory)
    for client in plan.new:
        fields = {name: value for name, value in declared_fields(client).items() if name != "enabled"}
        _, secret = await directory.add(fields, caller=caller)
        yield Done(client.id, None if secret is None else secret.text)
        if not client.enabled:
            # It has never been anybody's administrator, whatever its scopes.
            await directory.set_enabled(client.id, False, caller=caller, keep_last=False)
    for change in plan.changed:
        await _check(directory, change.before)
        await _make(change, directory, caller)
        yield Done(change.after.id)
    for client in plan.removed:
        await _check(directory, client)
        await directory.remove(client.id, caller=caller)
        yield Done(client.id)


async def _make(change: Change, directory: ClientDirectory, caller: Caller) -> None:
    named = change.after.id
    fields = {name: values["to"] for name, values in change.fields.items() if name != "enabled"}
    if fields:
        await directory.update(named, fields, caller=caller, seen=change.before)
    if change.after.enabled != change.before.enabled:
        await directory.set_enabled(named, change.after.enabled, caller=caller)


async def _check_all(plan: Plan, directory: ClientDirectory) -> None:
    for before in (*(change.before for change in plan.changed), *plan.removed):
        await _check(directory, before)
    for client in plan.new:
        if await directory.find(client.id) is not None:
            raise _outdated(client.id)


async def _check(directory: ClientDirectory, before: Client) -> None:
    if not is_as_planned(before, await directory.find(before.id)):
        raise _outdated(before.id)


def _outdated(client_id: str) -> Conflict:
    return Conflict(f"client {client_id} was changed since the plan was made; run again")
