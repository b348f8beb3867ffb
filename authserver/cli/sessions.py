"""`authserver sessions`: who is logged in, and end a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from authserver.cli.output import JsonFlag, note, print_json, print_table
from authserver.cli.published import following, sequence_of
from authserver.cli.runtime import every, find_user, operator, run

if TYPE_CHECKING:
    from authserver.services import Services

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See and end sessions.")

COLUMNS = ("session_id", "username", "kind", "client_id", "address", "user_agent", "last_seen_at", "idle_until")


@app.command("list")
def list_sessions(
    user: Annotated[str | None, typer.Option(help="Only of this user: username or id.")] = None,
    client: Annotated[str | None, typer.Option(help="Only through this client.")] = None,
    include_ended: Annotated[bool, typer.Option("--all", help="Also those that ended or expired.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List sessions that are alive, newest first."""

    async def work(services: Services) -> list[dict[str, object]]:
        from authserver.administration.views import session_body
        from authserver.storage.interface import SessionFilter

        user_id = (await find_user(services, user)).id if user else None
        where = SessionFilter(user_id=user_id, client_id=client, include_dead=include_ended)
        names: dict[str, str | None] = {}
        rows: list[dict[str, object]] = []
        async for session in every(lambda page: services.session_store.list(page, where, now=services.now()), limit):
            if session.user_id not in names:
                found = await services.users.get(session.user_id)
                names[session.user_id] = found.username if found else None
            rows.append({**session_body(session), "username": names[session.user_id]})
        return rows

    rows = run(work)
    if as_json:
        print_json(rows)
    else:
        columns = (*COLUMNS, "alive", "ended_at", "ended_reason") if include_ended else COLUMNS
        print_table(rows, columns, empty="no sessions")


@app.command("end")
def end_session(
    session_id: str,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")] = "ended by an administrator",
    as_json: JsonFlag = False,
) -> None:
    """End one session with its refresh tokens and access tokens."""

    async def work(services: Services) -> tuple[dict[str, object], int | None]:
        from authserver.administration.views import outcome_body
        from authserver.model.revocation import RevocationTarget

        target = RevocationTarget(kind="session", value=session_id)
        outcome = await services.revoker.revoke(target, reason=reason, caller=operator())
        sequence = await sequence_of(services, outcome)
        body = outcome_body(outcome, sequence, dry_run=False)
        return {"session_id": session_id, "changed": outcome.changed, **body}, sequence

    ended, sequence = run(work)
    if as_json:
        print_json(ended)
    elif ended["changed"]:
        typer.echo(f"ended session {session_id}")
        note(following(sequence))
    else:
        typer.echo(f"session {session_id} had ended before; nothing changed")
