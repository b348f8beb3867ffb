"""`authserver registration-tokens`: who may register clients while REGISTRATION is "token", and what those may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from authserver.cli.client_options import words
from authserver.cli.output import JsonFlag, YesFlag, confirm, fail, note, print_json, print_record, print_table
from authserver.cli.runtime import operator, run

if TYPE_CHECKING:
    from authserver.services import Services

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Tokens that let programs register clients.")

COLUMNS = ("token_id", "label", "scopes", "resources", "grant_types", "uses_left", "expires_at")
OPTIONS = {
    "label": "--label",
    "uses": "--uses",
    "expires_in": "--expires-in",
    "scopes": "--scope",
    "resources": "--resource",
    "grant_types": "--grant",
}


@app.command("add")
def add_token(
    label: Annotated[str, typer.Option(help="For people: whom it is for.")] = "",
    uses: Annotated[int | None, typer.Option(help="How many clients it registers. Default: any number.")] = None,
    expires_in: Annotated[str, typer.Option(help='How long it is good: "1h", "30d"; "never".')] = "7d",
    scope: Annotated[list[str] | None, typer.Option(help="A scope that its clients may have; repeatable.")] = None,
    resource: Annotated[list[str] | None, typer.Option(help="A resource that they may have; repeatable.")] = None,
    grant: Annotated[list[str] | None, typer.Option(help="A grant type that they may have; repeatable.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make an initial access token, printed once. What is not named is as in the settings."""
    body: dict[str, object] = {"label": label, "uses": uses, "expires_in": _seconds(expires_in)}
    body |= {
        name: values
        for name, values in (("scopes", words(scope)), ("resources", resource), ("grant_types", grant))
        if values
    }

    async def work(services: Services) -> dict[str, object]:
        from authserver.registration.initial_tokens import initial_token_body

        made = await services.initial_tokens.add(body, caller=operator())
        return {**initial_token_body(made.kept), "initial_access_token": made.text}

    shown = run(work, OPTIONS)
    if as_json:
        print_json(shown)
        return
    text = shown.pop("initial_access_token")
    print_record(shown)
    note("The token is shown this once; only its hash is stored.")
    typer.echo(f"initial access token  {text}")


@app.command("list")
def list_tokens(as_json: JsonFlag = False) -> None:
    """List them, oldest first; never their text."""

    async def work(services: Services) -> list[dict[str, object]]:
        from authserver.registration.initial_tokens import initial_token_body

        return [initial_token_body(token) for token in await services.initial_tokens.all()]

    rows = run(work)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, empty="no initial access tokens")


@app.command("remove")
def remove_token(
    token_id: Annotated[str, typer.Argument(help="As `list` shows it.")],
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Take one back. It registers nobody from now on; the clients that it registered stay."""
    confirm(f"this removes initial access token {token_id}", yes=yes)
    run(lambda services: services.initial_tokens.remove(token_id, caller=operator()))
    if as_json:
        print_json({"token_id": token_id, "removed": True})
    else:
        typer.echo(f"removed initial access token {token_id}")


@app.command("renew")
def renew_token(client_id: str, as_json: JsonFlag = False) -> None:
    """Renew the token of a client. Another one for a client that registered itself; its old one is worth nothing."""
    text = run(lambda services: services.registrar.renew_token(client_id, operator()))
    if as_json:
        print_json({"client_id": client_id, "registration_access_token": text})
    else:
        typer.echo(f"registration token of {client_id}  {text}")


def _seconds(text: str) -> int | None:
    from authserver.model.duration import parse_duration
    from authserver.model.time import SECOND

    if text == "never":
        return None
    try:
        return parse_duration(text) // SECOND
    except ValueError as error:
        fail(f"--expires-in: {error}")
