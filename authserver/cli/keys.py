"""`authserver keys`: the signing keys and their rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from authserver.cli.output import JsonFlag, YesFlag, confirm, fail, print_json, print_table
from authserver.cli.runtime import operator, run

if TYPE_CHECKING:
    from authserver.model.key import SigningKey
    from authserver.services import Services

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See and rotate signing keys.")

COLUMNS = ("kid", "algorithm", "state", "created_at", "active_at", "retired_at", "remove_at", "reason")
Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit log.")]


@app.command("list")
def list_keys(as_json: JsonFlag = False) -> None:
    """List the signing keys: announced, active, retired, revoked."""

    async def work(services: Services) -> list[dict[str, object]]:
        return [_shown(key) for key in await services.key_directory.all()]

    rows = run(work)
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, empty="no keys yet; the server makes the first one when it starts")


@app.command("rotate")
def rotate_keys(
    now: Annotated[bool, typer.Option("--now", help="Sign with the new key at once, before caches know it.")] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Emergency, with --now: also refuse everything the old key signed.")
    ] = False,
    algorithm: Annotated[
        str, typer.Option("--algorithm", help="Whose key: RS256, or another of SIGNING_ALGORITHMS.")
    ] = "RS256",
    reason: Reason = "",
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Bring in a new signing key. It is announced now and signs after the announcement time, or at once with --now."""
    if revoke and not now:
        fail("--revoke goes with --now: the old key cannot be withdrawn before another one signs")
    if revoke:
        confirm("this withdraws the present key: every access token that it signed is refused", yes=yes)

    async def work(services: Services) -> dict[str, object]:
        if revoke:
            key, _ = await services.key_directory.replace(algorithm=algorithm, caller=operator(), reason=reason)
        else:
            key = await services.key_directory.rotate(algorithm=algorithm, now=now, caller=operator(), reason=reason)
        return _shown(key)

    key = run(work)
    if as_json:
        print_json(key)
    elif key["state"] == "announced":
        typer.echo(f"key {key['kid']} is announced; it signs from {key['active_at']} at the earliest")
    else:
        typer.echo(f"key {key['kid']} is {key['state']}")


@app.command("retire")
def retire_key(kid: str, reason: Reason = "", as_json: JsonFlag = False) -> None:
    """Stop signing with the active key. Another takes over at once; this one stays published until its tokens end."""

    async def work(services: Services) -> SigningKey:
        return await services.key_directory.retire(kid, caller=operator(), reason=reason)

    key = run(work)
    if as_json:
        print_json(_shown(key))
    else:
        typer.echo(f"key {kid} is {key.state}; it is removed at {_shown(key)['remove_at']}")


def _shown(key: SigningKey) -> dict[str, object]:
    from authserver.administration.views import key_body

    return key_body(key)
