"""`authserver apply`: make the stored clients those that a file declares, after showing what that changes."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from authserver.cli.output import NO, JsonFlag, YesFlag, cell, confirm, fail, note, print_json, printable
from authserver.cli.runtime import every, operator, run

if TYPE_CHECKING:
    from authserver.administration.client_changes import Done
    from authserver.administration.client_plan import Plan
    from authserver.administration.declarations import BadDeclarations
    from authserver.services import Services


def apply(
    file: Annotated[Path, typer.Argument(help="TOML with [[clients]]: authserver.toml or another; - is stdin.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Also remove the clients that are not declared.")] = False,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Make the clients those that FILE declares. What is as declared already is left as it is."""
    document = _document(file)
    plan = _plan(file, document, prune)
    _note_settings(file, document)
    if not as_json or sys.stdin.isatty():
        for line in plan_lines(plan):
            note(line) if as_json else typer.echo(line)
    done: list[Done] = []
    try:
        if not (dry_run or plan.is_empty):
            # At a terminal somebody has read the plan; a script is only stopped before clients are lost.
            confirm(f"this changes the clients: {_summary(plan)}", yes=yes or not (plan.removed or sys.stdin.isatty()))
            run(lambda services: _carry_out(services, plan, done, as_json))
    finally:
        if as_json:
            print_json(plan_document(plan, done, dry_run=dry_run))
    if not as_json:
        note("nothing to do" if plan.is_empty else "dry run: nothing was changed" if dry_run else "done")


def plan_lines(plan: Plan) -> Iterator[str]:
    """+ new, ~ changed field by field, - removed, = the rest."""
    from authserver.administration.client_plan import declared_fields
    from authserver.administration.client_view import told

    for client in plan.new:
        yield f"+ {client.id}"
        fields = told(declared_fields(client)).items()
        yield from _fields({name: cell(value) for name, value in fields if value not in (None, [], client.id)})
    for change in plan.changed:
        yield f"~ {change.after.id}"
        yield from _fields({name: f"{cell(v['from'])} -> {cell(v['to'])}" for name, v in change.fields.items()})
    for client in plan.removed:
        yield f"- {client.id}"
    for client in plan.kept:
        yield f"= {client.id}: kept, because no declared client could administer this server"
    yield f"= {plan.unchanged} unchanged"
    if plan.undeclared:
        yield f"= {len(plan.undeclared)} not declared, left alone (--prune removes them)"


def plan_document(plan: Plan, done: list[Done], *, dry_run: bool) -> dict[str, object]:
    """For scripts; `applied` names what was done, which is not all of it when something failed."""
    from authserver.administration.client_plan import declared_fields

    secrets = {one.client_id: {"client_secret": one.secret} for one in done if one.secret is not None}
    return {
        "dry_run": dry_run,
        "in_sync": plan.is_empty,
        "new": [declared_fields(c) | secrets.get(c.id, {}) for c in plan.new],
        "changed": [{"client_id": change.after.id, "changes": change.fields} for change in plan.changed],
        "removed": [client.id for client in plan.removed],
        "kept": [client.id for client in plan.kept],
        "undeclared": [client.id for client in plan.undeclared],
        "unchanged": plan.unchanged,
        "applied": [one.client_id for one in done],
    }


def _document(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(sys.stdin.read() if str(file) == "-" else file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        fail(f"cannot read {file}: {error}")


def _note_settings(file: Path, document: Mapping[str, object]) -> None:
    """Settings in a file that the server does not read would silently not hold."""
    from authserver.settings import DEFAULT_CONFIG, Settings, config_file

    found = sorted(document.keys() & Settings.model_fields.keys())
    config = config_file()
    if found and (config is None or config.resolve() != file.resolve()):
        note(f"{', '.join(found)}: settings are not read from here, but from {config or DEFAULT_CONFIG}")


def _plan(file: Path, document: Mapping[str, object], prune: bool) -> Plan:
    from authserver.administration.client_plan import make_plan
    from authserver.administration.declarations import BadDeclarations, ClientRules, read_declarations
    from authserver.settings import Settings

    async def work(services: Services) -> Plan:
        directory = services.client_directory
        rules = ClientRules(directory.readers, directory.last_admin.can_administer)
        declared = read_declarations(document, rules, Settings.model_fields)
        stored = [client async for client in every(directory.list)]
        return make_plan(declared, stored, rules, prune=prune)

    try:
        return run(work)
    except BadDeclarations as error:
        _refuse(file, error)


def _refuse(file: Path, error: BadDeclarations) -> NoReturn:
    for fault in error.faults:
        note(str(fault))
    count = len(error.faults)
    fail(f"{file}: {count} {'fault' if count == 1 else 'faults'}, nothing was changed", NO)


async def _carry_out(services: Services, plan: Plan, done: list[Done], as_json: bool) -> None:
    """Fills `done` as it goes, so that a secret is shown whatever happens to the clients after it."""
    from authserver.administration.client_changes import carry_out
    from authserver.storage.interface import StorageUnavailable

    try:
        async for one in carry_out(plan, services.client_directory, operator()):
            done.append(one)
            if one.secret is not None and not as_json:
                typer.echo(f"client secret of {one.client_id}, shown this once  {one.secret}")
    except StorageUnavailable as error:
        if done:
            total = len(plan.new) + len(plan.changed) + len(plan.removed)
            fail(f"the database is not available after {len(done)} of {total} clients; run again: {error}")
        raise


def _fields(shown: Mapping[str, str]) -> Iterator[str]:
    width = max(map(len, shown), default=0)
    return (f"    {name:<{width}}  {printable(text)}" for name, text in shown.items())


def _summary(plan: Plan) -> str:
    counts = {"new": len(plan.new), "changed": len(plan.changed), "removed": len(plan.removed)}
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
