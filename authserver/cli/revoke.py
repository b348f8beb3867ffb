"""`authserver revoke`: take back a token, a session, a user, a client, a key or everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from authserver.cli.output import JsonFlag, YesFlag, confirm, fail, note, print_json
from authserver.cli.prompts import TokenArgument, TokenFile, read_token
from authserver.cli.published import following, sequence_of
from authserver.cli.runtime import find_user, operator, run
from authserver.model.revocation import RevocationKind, RevocationOutcome, RevocationTarget

if TYPE_CHECKING:
    from authserver.services import Services

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Take back tokens, sessions, users, clients, keys.")

Reason = Annotated[str, typer.Option("--reason", help="Why, for the audit log.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would end and change nothing.")]
OPTIONS = {"jti": "JTI", "expires_at": "--expires-at"}
"""What the fields of POST /admin/revocations are called on the command line."""

FindTarget = Callable[["Services"], Awaitable[RevocationTarget]]


@app.command("token")
def revoke_token(
    argument: TokenArgument = None,
    file: TokenFile = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Revoke one token, read from standard input. A refresh token takes its access tokens with it."""
    text = read_token(argument, file)

    async def target(services: Services) -> RevocationTarget:
        from authserver.administration.token_target import TokenTarget

        return await TokenTarget(services.access_tokens, services.refresh_handles)(text)

    _revoke(target, "the token", reason, dry_run, as_json)


@app.command("jti")
def revoke_jti(
    jti: str,
    expires_at: Annotated[
        int | None, typer.Option(help="The token's exp, in seconds since 1970. Default: the longest a token can live.")
    ] = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Revoke one access token by its jti claim."""

    async def target(services: Services) -> RevocationTarget:
        from authserver.revocation.targets import parse_request

        body: dict[str, object] = {"jti": jti} if expires_at is None else {"jti": jti, "expires_at": expires_at}
        request = parse_request(body, now=services.now(), longest_token=services.access_token_ttl)
        if request.target is None:
            fail("JTI is missing")
        return request.target

    _revoke(target, f"token {jti}", reason, dry_run, as_json)


@app.command("session")
def revoke_session(session_id: str, reason: Reason = "", dry_run: DryRun = False, as_json: JsonFlag = False) -> None:
    """End one session with its refresh tokens and access tokens."""
    _revoke(_fixed("session", session_id), f"session {session_id}", reason, dry_run, as_json)


@app.command("user")
def revoke_user(
    user: Annotated[str, typer.Argument(help="Username or user id.")],
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """End every session and token of a user. The user can log in again."""

    async def target(services: Services) -> RevocationTarget:
        return RevocationTarget(kind="user", value=(await find_user(services, user)).id)

    _revoke(target, f"everything of user {user}", reason, dry_run, as_json, ask=not yes)


@app.command("client")
def revoke_client(
    client_id: str, reason: Reason = "", dry_run: DryRun = False, yes: YesFlag = False, as_json: JsonFlag = False
) -> None:
    """End every token that a client was issued. It can ask for new ones."""
    _revoke(_fixed("client", client_id), f"every token of client {client_id}", reason, dry_run, as_json, ask=not yes)


@app.command("kid")
def revoke_kid(
    kid: str, reason: Reason = "", dry_run: DryRun = False, yes: YesFlag = False, as_json: JsonFlag = False
) -> None:
    """Withdraw a signing key: nothing it signed is accepted again. The signing key is replaced first."""
    _revoke(_fixed("kid", kid), f"signing key {kid}", reason, dry_run, as_json, ask=not yes)


@app.command("all")
def revoke_all(reason: Reason = "", dry_run: DryRun = False, yes: YesFlag = False, as_json: JsonFlag = False) -> None:
    """End every session and every token of this issuer. Everybody has to log in again."""
    _revoke(_fixed("all", ""), "every session and token of this issuer", reason, dry_run, as_json, ask=not yes)


def _fixed(kind: RevocationKind, value: str) -> FindTarget:
    async def target(_: Services) -> RevocationTarget:
        return RevocationTarget(kind=kind, value=value)

    return target


def _revoke(find: FindTarget, what: str, reason: str, dry_run: bool, as_json: bool, *, ask: bool = False) -> None:
    """Preview, ask if the reach is wide, revoke, say what came of it."""
    from authserver.revocation.targets import LONGEST_REASON

    if len(reason) > LONGEST_REASON:
        fail(f"--reason is longer than {LONGEST_REASON} characters")

    async def work(services: Services) -> tuple[RevocationTarget, RevocationOutcome, int | None]:
        target = await find(services)
        preview = await services.revoker.preview(target)
        if dry_run:
            return target, preview, None
        confirm(f"this ends {what}: {_extent(preview)}", yes=not ask)
        outcome = await services.revoker.revoke(target, reason=reason, caller=operator())
        return target, outcome, await sequence_of(services, outcome)

    target, outcome, sequence = run(work, OPTIONS)
    if as_json:
        print_json(_document(target, outcome, sequence, dry_run))
    elif dry_run:
        typer.echo(f"would end {what}: {_extent(outcome)}")
    elif not outcome.changed:
        typer.echo(f"{what} was revoked before; nothing changed")
    else:
        typer.echo(f"ended {what}: {_extent(outcome)}")
        note(following(sequence))


def _extent(outcome: RevocationOutcome) -> str:
    return f"{_count(outcome.sessions, 'session')}, {_count(outcome.families, 'refresh family', 'refresh families')}"


def _count(number: int | None, one: str, many: str = "") -> str:
    if number is None:
        return f"an unknown number of {many or one + 's'}"
    return f"{number} {one if number == 1 else many or one + 's'}"


def _document(
    target: RevocationTarget, outcome: RevocationOutcome, sequence: int | None, dry_run: bool
) -> dict[str, object]:
    from authserver.administration.views import outcome_body

    return {
        "target": target.kind,
        "value": target.value,
        "changed": outcome.changed,
        **outcome_body(outcome, sequence, dry_run=dry_run),
    }
