"""`authserver resource-servers`: who has applied which revocations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from authserver.cli.output import JsonFlag, fail, print_json, print_table
from authserver.cli.runtime import every, run

if TYPE_CHECKING:
    from authserver.services import Services

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See which resource servers follow the feed.")

COLUMNS = ("client_id", "instance", "state", "seq", "lag", "entries", "address", "reported_at")


@app.callback()
def _only_verbs() -> None:
    """See which resource servers follow the feed, and how far each has got."""


@app.command("list")
def list_resource_servers(
    behind: Annotated[
        int | None, typer.Option(min=0, help="Only those that have not applied this number of the log yet.")
    ] = None,
    client: Annotated[str | None, typer.Option("--client", help="Only those of this client.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the resource servers that report. Each with the last revocation that it has applied."""

    async def work(services: Services) -> list[dict[str, object]]:
        from authserver.administration.views import resource_server_body
        from authserver.storage.interface import ResourceServerFilter

        head, now = await services.log_store.head(), services.now()
        if behind is not None and behind > head.seq:
            fail(f"--behind {behind}: the log ends at {head.seq}, nobody can have applied that yet")
        where = ResourceServerFilter(client_id=client, behind=None if behind is None else (head.log, behind))
        found = every(lambda page: services.resource_servers.list(page, where))
        return [resource_server_body(server, head.log, head.seq, now) async for server in found]

    rows = run(work)
    if as_json:
        print_json(rows)
    else:
        empty = (
            "no resource server reports" if behind is None else f"no resource server that reports lacks record {behind}"
        )
        print_table(rows, COLUMNS, empty=empty)
