"""`authserver users`: the people who can log in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authserver.cli.output import NO, JsonFlag, YesFlag, confirm, fail, note, print_json, print_record, print_table
from authserver.cli.prompts import GeneratePassword, PasswordStdin, choose_password
from authserver.cli.runtime import every, find_user, operator, run

if TYPE_CHECKING:
    from authserver.model.account import User
    from authserver.services import Services

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The people who can log in.")

COLUMNS = ("user_id", "username", "enabled", "has_password", "created_at", "updated_at")
UserName = Annotated[str, typer.Argument(metavar="USER", help="Username or user id.")]


@app.command("add")
def add_user(
    username: str,
    password_stdin: PasswordStdin = False,
    generate_password: GeneratePassword = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Cannot log in until given a password.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Add a user. The password is asked for, read with --password-stdin, or made with --generate-password."""
    password = None if no_password else choose_password(stdin=password_stdin, generate=generate_password)

    async def work(services: Services) -> dict[str, object]:
        return _shown(await services.directory.create(username, password, caller=operator()))

    record = run(work)
    if generate_password and password is not None:
        record["password"] = password
    _print(record, as_json)
    if generate_password:
        note("The password is shown this once; only its hash is stored.")


@app.command("list")
def list_users(
    query: Annotated[str | None, typer.Option(help="Only usernames with this part.")] = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, oldest first.")] = 1000,
    as_json: JsonFlag = False,
) -> None:
    """List users."""

    async def work(services: Services) -> list[dict[str, object]]:
        listing = every(lambda page: services.users.list(page, query=query, enabled=enabled), limit)
        return [_shown(user) async for user in listing]

    rows = run(work)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, empty="no users")


@app.command("show")
def show_user(user: UserName, as_json: JsonFlag = False) -> None:
    """One user, with what may be told about them."""

    async def work(services: Services) -> dict[str, object]:
        return _shown(await find_user(services, user))

    _print(run(work), as_json)


@app.command("set-claims")
def set_claims(
    user: UserName,
    claims: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="An empty value takes the claim away.")],
    as_json: JsonFlag = False,
) -> None:
    """Change what clients may be told about the user. For instance name=, email=, email_verified=true,
    address.country=, ... Claims that are not named stay."""

    async def work(services: Services) -> dict[str, object]:
        from authserver.administration.user_claims import changes_of_texts

        found = await find_user(services, user)
        changes = changes_of_texts(claims, found.claims)
        return _shown(await services.directory.change_claims(found.id, changes, caller=operator()))

    _print(run(work), as_json)


@app.command("disable")
def disable_user(user: UserName, as_json: JsonFlag = False) -> None:
    """Log the user out everywhere and refuse log-ins. Enabling revives no session."""
    _switch(user, False, as_json)


@app.command("enable")
def enable_user(user: UserName, as_json: JsonFlag = False) -> None:
    """Let a disabled user log in again."""
    _switch(user, True, as_json)


@app.command("set-password")
def set_password(
    user: UserName,
    password_stdin: PasswordStdin = False,
    generate_password: GeneratePassword = False,
    as_json: JsonFlag = False,
) -> None:
    """Give the user a new password and log it out everywhere."""
    password = choose_password(stdin=password_stdin, generate=generate_password)

    async def work(services: Services) -> dict[str, object]:
        found = await find_user(services, user)
        await services.directory.set_password(found.id, password, caller=operator())
        return _shown(await services.directory.get(found.id))

    record = run(work)
    if generate_password:
        record["password"] = password
        note("The password is shown this once; only its hash is stored.")
    if as_json or generate_password:
        _print(record, as_json)
    else:
        typer.echo(f"user {record['username']} has a new password and is logged out everywhere")


@app.command("remove")
def remove_user(user: UserName, yes: YesFlag = False, as_json: JsonFlag = False) -> None:
    """Delete a user with every session and token. The user id is never used again."""
    confirm(f"this removes user {user} for good", yes=yes)

    async def work(services: Services) -> User:
        found = await find_user(services, user)
        await services.directory.remove(found.id, caller=operator())
        return found

    removed = run(work)
    if as_json:
        print_json({"user_id": removed.id, "username": removed.username, "removed": True})
    else:
        typer.echo(f"removed user {removed.username}")


@app.command("import")
def import_users(
    file: Annotated[Path, typer.Argument(help="CSV with a header or JSON lines; - for standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line and write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Add the users of a CSV or JSON lines file. Fields: username, password or password_hash (argon2id), enabled,
    claims (an object; in CSV its JSON text).
    Bad lines are reported with their number and skipped; status 1 if there were any."""
    from authserver.cli.user_transfer import import_file

    try:
        source = sys.stdin if str(file) == "-" else file.open(encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}")
    with source:
        try:
            report = run(lambda services: import_file(services, source, dry_run=dry_run, caller=operator()))
        except UnicodeDecodeError:
            fail("standard input is not UTF-8")
    if as_json:
        print_json(report.document())
    else:
        for number, problem in report.failed:
            note(f"line {number}: {problem}")
        typer.echo(f"{'would add' if dry_run else 'added'} {report.added}, refused {len(report.failed)}")
    if report.failed:
        raise typer.Exit(NO)


@app.command("export")
def export_users(
    with_hashes: Annotated[
        bool, typer.Option("--with-hashes", help="Password hashes too, to move to another server. Keep it secret.")
    ] = False,
) -> None:
    """Write every user as JSON lines to standard output."""
    from authserver.cli.user_transfer import export_all

    run(lambda services: export_all(services, with_hashes=with_hashes))


def _switch(user: str, enabled: bool, as_json: bool) -> None:
    async def work(services: Services) -> dict[str, object]:
        found = await find_user(services, user)
        await services.directory.set_enabled(found.id, enabled, caller=operator())
        return _shown(await services.directory.get(found.id))

    record = run(work)
    if as_json:
        print_json(record)
    elif enabled:
        typer.echo(f"user {record['username']} can log in again")
    else:
        typer.echo(f"user {record['username']} is disabled and logged out everywhere")


def _print(record: dict[str, object], as_json: bool) -> None:
    """For people, each claim on a line of its own."""
    if as_json:
        print_json(record)
        return
    told = record.pop("claims")
    print_record({**record, **(told if isinstance(told, dict) else {})})


def _shown(user: User) -> dict[str, object]:
    from authserver.administration.views import user_body

    return user_body(user)
