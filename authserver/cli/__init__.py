"""The command line: `authserver NOUN VERB`, one module per noun, tables for people and `--json` for scripts.

Owns wording, prompts and exit statuses; every rule it applies belongs to the services below. Administration works
on the database directly, so it also works while no server runs; running servers follow by themselves.

Only the module of the command that was asked for is imported, so that `authserver serve` carries
nothing of the others and `authserver --help` answers at once.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

COMMANDS: Final = {
    "dev": "authserver.cli.dev",
    "serve": "authserver.cli.serve",
    "init": "authserver.cli.setup",
    "migrate": "authserver.cli.setup",
    "doctor": "authserver.cli.doctor",
    "apply": "authserver.cli.apply",
}
"""Verbs without a noun: the function of that name in the module."""

NOUNS: Final = {
    "keys": "authserver.cli.keys",
    "clients": "authserver.cli.clients",
    "users": "authserver.cli.users",
    "sessions": "authserver.cli.sessions",
    "revoke": "authserver.cli.revoke",
    "token": "authserver.cli.token",
    "log": "authserver.cli.log",
    "resource-servers": "authserver.cli.resource_servers",
    "registration-tokens": "authserver.cli.registration_tokens",
}
"""Nouns: the module's `app` holds the verbs."""


def build(only: str | None = None) -> typer.Typer:
    """The whole command tree, or just the branch `only` when there is one of that name."""
    chosen = {only} if only in COMMANDS or only in NOUNS else {*COMMANDS, *NOUNS}
    root = typer.Typer(
        name="authserver",
        help="A token and session authorization server: log in, issue, validate locally, revoke.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.callback()(_root)
    for name, module in COMMANDS.items():
        if name in chosen:
            root.command(name)(getattr(import_module(module), name))
    for name, module in NOUNS.items():
        if name in chosen:
            root.add_typer(import_module(module).app, name=name)
    return root


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `authserver` and `python -m authserver`; leaves by SystemExit with 0, 1 or 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that this terminal cannot show stops nothing
    asked = list(sys.argv[1:] if arguments is None else arguments)
    build(asked[0] if asked else None)(args=asked, prog_name="authserver")


def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
) -> None:
    if version:
        from authserver import __version__

        typer.echo(f"authserver {__version__}")
        raise typer.Exit


__all__ = ["COMMANDS", "NOUNS", "build", "main"]
