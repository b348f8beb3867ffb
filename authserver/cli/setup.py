"""`authserver init` and `migrate`: what a new or updated server needs before it serves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from authserver.cli.output import MISUSE, JsonFlag, fail, print_json

if TYPE_CHECKING:
    from authserver.settings import Settings


def init(as_json: JsonFlag = False) -> None:
    """Make the master key and the tables. What is there already stays as it is."""
    settings = settings_or_leave()
    made = ensure_master_key(settings)
    revisions = run_migrations(settings)
    if as_json:
        print_json({"master_key": str(settings.master_key_path), "created": made, "migrations": revisions})
        return
    typer.echo(f"{'created' if made else 'kept'} {settings.master_key_path}")
    _tell(revisions)
    if made:
        typer.echo("Keep a copy of the master key in a safe place: without it the signing keys cannot be read.")


def migrate(as_json: JsonFlag = False) -> None:
    """Bring the database's tables up to this version. Servers of the version before go on working."""
    revisions = run_migrations(settings_or_leave())
    if as_json:
        print_json({"migrations": revisions})
    else:
        _tell(revisions)


def _tell(revisions: list[str]) -> None:
    typer.echo(f"migrated: {', '.join(revisions)}" if revisions else "the database is up to date")


def settings_or_leave(**overrides: object) -> Settings:
    from authserver.settings import SettingsError, load_settings

    try:
        return load_settings(**overrides)
    except SettingsError as error:
        fail(str(error), MISUSE)


def ensure_master_key(settings: Settings) -> bool:
    """True if it was made now. One that is there is loaded, so that an unusable one is told about."""
    from authserver.cli.runtime import told
    from authserver.tokens.masterkey import create_master_key, load_master_key

    path = settings.master_key_path
    with told():
        if path.exists() or path.is_symlink():
            load_master_key(path)
            return False
        create_master_key(path)
        return True


def run_migrations(settings: Settings) -> list[str]:
    """The revisions that ran."""
    from authserver import wiring
    from authserver.cli.runtime import told

    with told():
        return asyncio.run(wiring.migrate(settings))
