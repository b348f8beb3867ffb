"""What the commands print: tables for people, one JSON document for scripts, one line for an error.

Exit statuses: 0 it was done (or the answer is yes), 1 the answer is no or the thing does not exist,
2 the command was used wrongly or the server is not set up for it.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, NoReturn

import typer

DONE: Final = 0
NO: Final = 1
MISUSE: Final = 2

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

Row = Mapping[str, object]


def fail(message: str, status: int = MISUSE) -> NoReturn:
    """One line on stderr, then leave with `status`."""
    typer.echo(f"authserver: {printable(message)}", err=True)
    raise typer.Exit(status)


def note(message: str) -> None:
    """A remark for people; on stderr, so that it never mixes with what a script reads."""
    typer.echo(printable(message), err=True)


def print_json(document: object, *, indent: int | None = 2) -> None:
    """Readable where standard output can show it, escaped where it cannot (another encoding, half a surrogate pair)."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(document, indent=indent)
    typer.echo(text)


def print_record(record: Row) -> None:
    """One thing, a line per field."""
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {cell(value)}")


def print_table(rows: Sequence[Row], columns: Iterable[str], *, empty: str) -> None:
    """Many things, a line each; on a terminal fitted to its width, in a pipe never cut."""
    if not rows:
        note(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(Text(name.replace("_", " ").upper()), overflow="fold", no_wrap=not sys.stdout.isatty())
    for row in rows:
        table.add_row(*(Text(cell(row.get(name))) for name in columns))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    console = Console(width=width, highlight=False, file=sys.stdout)
    with console.capture() as drawn:
        console.print(table)
    for line in drawn.get().splitlines():
        typer.echo(line.rstrip())


def cell(value: object) -> str:
    """A value as text for people: lists by spaces, nothing as a dash, no control characters."""
    if value is None or value == "" or value == [] or value == ():
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return " ".join(cell(item) for item in value)
    if isinstance(value, Mapping):
        return " ".join(f"{printable(str(name))}={cell(item)}" for name, item in value.items())
    return printable(str(value))


def printable(text: str) -> str:
    """Names and user agents come from strangers: without this they could steer the terminal."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def confirm(effect: str, *, yes: bool) -> None:
    """Say what is about to happen and go on only if the person agrees; in a script without `--yes` refuse."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{effect}; add --yes to do it")
    if not typer.confirm(printable(f"{effect[:1].upper()}{effect[1:]}. Go on?"), err=True):
        fail("nothing was changed", NO)
