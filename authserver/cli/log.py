"""`authserver log`: the revocation log that resource servers follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from authserver.cli.output import NO, JsonFlag, YesFlag, confirm, note, print_json, print_record
from authserver.cli.progress import progress
from authserver.cli.runtime import operator, run

if TYPE_CHECKING:
    from authserver.model.log import LogHead, Snapshot
    from authserver.revocation.renewal import Renewed
    from authserver.revocation.verification import LogVerdict
    from authserver.services import Services

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See, check and renew the revocation log.")


@app.command("status")
def log_status(as_json: JsonFlag = False) -> None:
    """Show where the log stands. Status 1 if it lost commits and has to be renewed."""

    async def work(services: Services) -> dict[str, object]:
        head = await services.log_store.head()
        return _status(head, await services.log_store.newest_snapshot())

    status = run(work)
    if as_json:
        print_json(status)
    else:
        print_record(status)
    if status["lost_commits"]:
        raise typer.Exit(NO)


@app.command("verify")
def verify_log(as_json: JsonFlag = False) -> None:
    """Reckon the hash chain anew and look through the newest snapshot. Status 1 if something does not fit."""

    async def work(services: Services) -> LogVerdict:
        from authserver.revocation.verification import verify_log

        head = await services.log_store.head()
        with progress("records", max(0, head.seq - head.floor + 1)) as advance:
            return await verify_log(services.log_store, advance)

    verdict = run(work)
    if as_json:
        print_json(
            {
                "ok": verdict.fault is None,
                "fault": verdict.fault,
                "log": verdict.log,
                "first": verdict.first,
                "seq": verdict.seq,
                "checked": verdict.checked,
            }
        )
    elif verdict.fault is None:
        typer.echo(
            f"log {verdict.log}: {verdict.checked} records, {verdict.first} to {verdict.seq}, as they were written"
        )
    else:
        typer.echo(f"log {verdict.log}: {verdict.fault}")
    if verdict.fault is not None:
        raise typer.Exit(NO)


EFFECT = (
    "this begins a new revocation log: every token that was issued before is refused and everybody has to log in again"
)
KEYS = ", and all signing keys are replaced: resource servers fetch the new ones"


@app.command("renew")
def renew_log(
    keep_keys: Annotated[
        bool, typer.Option("--keep-keys", help="Keep the signing keys: none was revoked since the backup was made.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")] = "",
    yes: YesFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Begin a new log after commits were lost. A backup was restored, or a failover lost some.

    What was revoked and is lost could be accepted again: so every token of before is refused. A signing key that was
    revoked after the backup would be back, so the keys are replaced too.
    """

    async def work(services: Services) -> Renewed:
        head = await services.log_store.head()
        if head.witness is None:
            note("No loss is known: this is for a database that was restored, or a replica that was promoted.")
        confirm(EFFECT + ("" if keep_keys else KEYS), yes=yes)
        return await services.log.renewal.renew(caller=operator(), reason=reason, keep_keys=keep_keys)

    renewed = run(work)
    if as_json:
        print_json(
            {
                "log": renewed.head.log,
                "seq": renewed.head.seq,
                "before": {"log": renewed.before.log, "seq": renewed.before.seq},
                "withdrawn_keys": list(renewed.keys),
            }
        )
    else:
        typer.echo(
            f"log {renewed.head.log} takes the place of {renewed.before.log}; {len(renewed.keys)} keys withdrawn"
        )
        note("Running servers and the resource servers that follow them go over to it by themselves, within a second.")


def _status(head: LogHead, snapshot: Snapshot | None) -> dict[str, object]:
    from authserver.administration.views import when
    from authserver.model.time import SECOND

    return {
        "log": head.log,
        "seq": head.seq,
        "floor": head.floor,
        "pending": head.pending,
        "snapshot": snapshot.seq if snapshot else None,
        "snapshot_entries": snapshot.entries if snapshot else None,
        "snapshot_created_at": when(snapshot.created_at) if snapshot else None,
        "token_ttl": head.token_ttl // SECOND,
        "lost_commits": head.witness is not None,
        "logs_before": sorted(head.left),
    }
