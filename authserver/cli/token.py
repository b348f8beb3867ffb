"""`authserver token`: mint one for a program, read one, check one, tell its story."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from authserver.cli.output import NO, JsonFlag, fail, note, print_json, print_record, print_table
from authserver.cli.prompts import TokenArgument, TokenFile, read_token
from authserver.cli.runtime import operator, run

if TYPE_CHECKING:
    from authserver.cli.token_record import Story
    from authserver.services import Services

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Issue, inspect, verify and explain tokens.")


@app.command("issue")
def issue_token(
    client_id: str,
    scope: Annotated[
        str | None, typer.Option(help="Scopes, separated by spaces. Default: all of the client's.")
    ] = None,
    resource: Annotated[
        list[str] | None, typer.Option(help="Audience; may be repeated. Default: the client's first.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Mint an access token for a confidential client. As client_credentials would, without the secret."""

    async def work(services: Services) -> dict[str, object]:
        from authserver.cli.token_minting import mint

        return await mint(services, client_id, scope, resource or [], operator())

    minted = run(work)
    if as_json:
        print_json(minted)
    else:
        typer.echo(minted["access_token"])
    note(f"good at servers of {unverified_issuer(str(minted['access_token']))} (AUTHSERVER_ISSUER) with this database")


@app.command("inspect")
def inspect_token(argument: TokenArgument = None, file: TokenFile = None, as_json: JsonFlag = False) -> None:
    """Show what a JWT says, from standard input. Checks nothing: needs neither keys nor database."""
    from authserver.model.errors import Refused
    from authserver.tokens.past import unverified_parts

    try:
        header, claims = unverified_parts(read_token(argument, file))
    except Refused as error:
        fail(error.description, NO)
    if as_json:
        print_json({"verified": False, "header": header, "claims": claims})
        return
    print_record({**header, **_with_times(claims)})
    note("nothing was verified: anybody can write a token that says this; see  authserver token verify")


@app.command("verify")
def verify_token(argument: TokenArgument = None, file: TokenFile = None, as_json: JsonFlag = False) -> None:
    """Check an access token: signature, expiry, revocation. It is read from standard input; status 1 if refused."""
    text = read_token(argument, file)

    async def work(services: Services) -> dict[str, Any]:
        from authserver.model.errors import InvalidToken
        from authserver.tokens.past import unverified_parts

        try:
            claims, _ = await services.access_tokens.authenticate(text)
        except InvalidToken as error:
            detail = elsewhere(text, services.issuer) or error.detail
            return {"valid": False, "reason": error.description, "detail": detail}
        if claims.kid is not None:
            return {"valid": True, "claims": unverified_parts(text)[1]}
        kept = await services.issuance.opaque.find(text, now=services.now())
        return {"valid": True, "claims": {} if kept is None else dict(kept.claims)}

    verdict = run(work)
    if as_json:
        print_json(verdict)
    elif verdict["valid"]:
        typer.echo("valid")
        print_record(_with_times(verdict["claims"]))
    else:
        detail = f" ({verdict['detail']})" if verdict["detail"] else ""
        typer.echo(f"refused: {verdict['reason']}{detail}")
    if not verdict["valid"]:
        raise typer.Exit(NO)


@app.command("explain")
def explain_token(argument: TokenArgument = None, file: TokenFile = None, as_json: JsonFlag = False) -> None:
    """Tell the story of a token or code. Where it came from, if it is alive, what refuses it, who ended it and why."""
    text = read_token(argument, file)

    async def work(services: Services) -> Story:
        from authserver.cli.token_story import story_of
        from authserver.model.errors import InvalidToken

        try:
            return await story_of(services, text)
        except InvalidToken as error:
            other = elsewhere(text, services.issuer)
            raise InvalidToken(f"{error.description} ({other})") if other else error from None

    story = run(work)
    if as_json:
        print_json(story.document())
    else:
        _tell(story)
    if not story.alive:
        raise typer.Exit(NO)


def _tell(story: Story) -> None:
    from authserver.cli.token_record import RULES

    typer.echo(f"{story.kind.replace('_', ' ')}: {'alive' if story.alive else 'refused'}")
    for rule in story.refused_by:
        typer.echo(f"  {rule}: {RULES[rule]}")
    if story.lineage:
        typer.echo("\nwhere it came from")
        print_table(story.lineage, ("at", "step", "client_id", "detail"), empty="")
    for title, row, names in _chapters(story):
        typer.echo(f"\n{title}")
        if row is None:
            typer.echo("  (no longer stored)")
        else:
            print_record({f"  {name}": row[name] for name in names})
    if story.events:
        typer.echo("\nwhat happened to it")
        rows = [
            {"at": e["at"], "event": e["type"], "by": e["actor"], "from": e["address"], "detail": e["detail"]}
            for e in story.events
        ]
        print_table(rows, ("at", "event", "by", "from", "detail"), empty="")


def _chapters(story: Story) -> list[tuple[str, dict[str, object] | None, tuple[str, ...]]]:
    chapters: list[tuple[str, dict[str, object] | None, tuple[str, ...]]] = [
        ("token", story.token, tuple(story.token)),
        ("client", story.client, ("client_id", "name", "enabled", "revocation_version")),
    ]
    if story.key is not None:
        chapters.append(("signing key", story.key, ("kid", "state", "active_at", "retired_at", "revoked_at")))
    if story.kind in ("refresh_token", "authorization_code") or story.token.get("sid"):
        chapters += [
            ("user", story.user, ("user_id", "username", "enabled", "revocation_version")),
            (
                "session",
                story.session,
                (
                    "session_id",
                    "kind",
                    "auth_time",
                    "address",
                    "user_agent",
                    "last_seen_at",
                    "ended_at",
                    "ended_reason",
                ),
            ),
            (
                "refresh family",
                story.family,
                (
                    "family_id",
                    "generation",
                    "created_at",
                    "rotated_at",
                    "idle_until",
                    "abs_until",
                    "ended_at",
                    "ended_reason",
                ),
            ),
        ]
    return chapters


def elsewhere(token: str, issuer: str) -> str | None:
    """The hint that these settings are another server's than the token's; nothing where that is not the case."""
    said = unverified_issuer(token)
    if said is None or said == issuer:
        return None
    return f"it says that it is from {said}, and AUTHSERVER_ISSUER is {issuer} here"


def unverified_issuer(token: str) -> str | None:
    from authserver.model.errors import Refused
    from authserver.tokens.past import unverified_parts

    try:
        said = unverified_parts(token)[1].get("iss")
    except Refused:
        return None
    return said if isinstance(said, str) else None


def _with_times(claims: dict[str, object]) -> dict[str, object]:
    """NumericDate claims as times that people can read; what is not one stays as it is."""
    from authserver.model.inputs import rfc3339

    return {
        name: rfc3339(value * 1000)
        if name in ("iat", "exp", "nbf", "auth_time") and type(value) is int and 0 <= value < 253_402_300_800
        else value
        for name, value in claims.items()
    }
