"""`authserver clients`: register, show, change, disable and remove clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from authserver.cli.client_options import (
    OPTIONS,
    Audiences,
    Auth,
    FirstParty,
    Grants,
    Keys,
    Name,
    Others,
    ProfileName,
    Redirects,
    Resources,
    Rotation,
    Scopes,
    Ttl,
    named_fields,
)
from authserver.cli.output import JsonFlag, YesFlag, confirm, fail, note, print_json, print_record, print_table
from authserver.cli.runtime import every, operator, run

if TYPE_CHECKING:
    from authserver.services import Services

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Programs that ask for tokens or check them.")

COLUMNS = ("client_id", "name", "auth_method", "grant_types", "scopes", "resources", "first_party", "enabled")

EvenLast = Annotated[
    bool, typer.Option("--even-last", help="Also when nobody could use the admin API afterwards (see `clients add`).")
]


@app.command("add")
def add_client(
    client_id: Annotated[str, typer.Argument(help="Its id; never a UUID.")],
    name: Name = None,
    auth_method: Auth = None,
    grant: Grants = None,
    scope: Scopes = None,
    resource: Resources = None,
    audience: Audiences = None,
    redirect_uri: Redirects = None,
    first_party: FirstParty = None,
    refresh_rotation: Rotation = None,
    access_token_ttl: Ttl = None,
    profile: ProfileName = None,
    jwks: Keys = None,
    others: Others = None,
    as_json: JsonFlag = False,
) -> None:
    """Register a client. If it authenticates by a secret, that is printed once.

    The fields for --set are listed in docs/guide/admin-api.md.
    """
    fields = named_fields(
        name or client_id,
        auth_method,
        grant,
        scope,
        resource,
        audience,
        redirect_uri,
        first_party,
        refresh_rotation,
        access_token_ttl,
        profile,
        jwks,
        others,
    )

    async def work(services: Services) -> dict[str, object]:
        from authserver.administration.client_view import client_body

        body = {"client_id": client_id, **fields}
        client, secret = await services.client_directory.add(body, caller=operator())
        return client_body(client) if secret is None else {**client_body(client), "client_secret": secret.text}

    _show(run(work, OPTIONS), as_json)


@app.command("list")
def list_clients(
    query: Annotated[str | None, typer.Option(help="Only those whose id or name has this part.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the registered clients."""

    async def work(services: Services) -> list[dict[str, object]]:
        from authserver.administration.client_view import client_body

        return [client_body(client) async for client in every(lambda page: services.clients.list(page, query=query))]

    rows = run(work)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, empty="no clients")


@app.command("show")
def show_client(client_id: str, as_json: JsonFlag = False) -> None:
    """Show one client with the names and ends of its secrets."""

    async def work(services: Services) -> dict[str, object]:
        from authserver.administration.client_view import client_body

        return client_body(await services.client_directory.get(client_id))

    _show(run(work), as_json)


@app.command("update")
def update_client(
    client_id: str,
    name: Name = None,
    auth_method: Auth = None,
    grant: Grants = None,
    scope: Scopes = None,
    resource: Resources = None,
    audience: Audiences = None,
    redirect_uri: Redirects = None,
    first_party: FirstParty = None,
    refresh_rotation: Rotation = None,
    access_token_ttl: Ttl = None,
    profile: ProfileName = None,
    jwks: Keys = None,
    others: Others = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what is named and leave the rest. A list replaces the old one, "" empties it."""
    fields = named_fields(
        name,
        auth_method,
        grant,
        scope,
        resource,
        audience,
        redirect_uri,
        first_party,
        refresh_rotation,
        access_token_ttl,
        profile,
        jwks,
        others,
    )
    if not fields:
        fail("name at least one thing to change")

    async def work(services: Services) -> dict[str, object]:
        from authserver.administration.client_view import client_body

        return client_body(await services.client_directory.update(client_id, fields, caller=operator()))

    _show(run(work, OPTIONS), as_json)


@app.command("rotate-secret")
def rotate_secret(
    client_id: str,
    retire_after: Annotated[
        str, typer.Option(help='How long the old secrets go on working: "0", "10m", "1d"; "never" keeps them.')
    ] = "1d",
    as_json: JsonFlag = False,
) -> None:
    """Add a secret, printed once. The old ones end after --retire-after, so that nothing has to stop meanwhile."""

    async def work(services: Services) -> dict[str, object]:
        from authserver.administration.client_view import secret_body
        from authserver.model.duration import parse_duration

        try:
            overlap = None if retire_after == "never" else parse_duration(retire_after)
        except ValueError as error:
            fail(f"--retire-after: {error}")
        made = await services.client_directory.add_secret(client_id, retire_others_in=overlap, caller=operator())
        return {"client_id": client_id, **secret_body(made.kept), "client_secret": made.text}

    _show(run(work), as_json)


@app.command("disable")
def disable_client(client_id: str, even_last: EvenLast = False, as_json: JsonFlag = False) -> None:
    """Refuse the client and everything it was issued. Enabling it again revives no token."""
    _switch(client_id, False, as_json, keep_last=not even_last)


@app.command("enable")
def enable_client(client_id: str, as_json: JsonFlag = False) -> None:
    """Let a disabled client ask for new tokens again."""
    _switch(client_id, True, as_json)


@app.command("remove")
def remove_client(client_id: str, even_last: EvenLast = False, yes: YesFlag = False, as_json: JsonFlag = False) -> None:
    """Delete a client with everything it was issued. Its tokens are refused from now on."""
    confirm(f"this removes client {client_id} with everything it was issued", yes=yes)

    async def work(services: Services) -> None:
        await services.client_directory.remove(client_id, caller=operator(), keep_last=not even_last)

    run(work)
    if as_json:
        print_json({"client_id": client_id, "removed": True})
    else:
        typer.echo(f"removed client {client_id}")


def _switch(client_id: str, enabled: bool, as_json: bool, *, keep_last: bool = True) -> None:
    async def work(services: Services) -> dict[str, object]:
        from authserver.administration.client_view import client_body

        change = services.client_directory.set_enabled
        return client_body(await change(client_id, enabled, caller=operator(), keep_last=keep_last))

    shown = run(work)
    if as_json:
        print_json(shown)
    else:
        typer.echo(f"client {client_id} is {'enabled' if enabled else 'disabled'}")


def _show(record: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        print_json(record)
        return
    from authserver.administration.client_view import told

    secret = record.get("client_secret")
    print_record({name: value for name, value in told(record).items() if name not in ("client_secret", "secrets")})
    secrets = record.get("secrets")
    if isinstance(secrets, list) and secrets:
        print_table(secrets, ("secret_id", "created_at", "expires_at"), empty="")
    if secret is not None:
        note("The secret is shown this once; only its hash is stored.")
        typer.echo(f"client secret  {secret}")
