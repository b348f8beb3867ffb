"""`authserver doctor`: look at everything a server needs and say what is wrong and what to do."""

from __future__ import annotations

import asyncio
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from authserver.cli.output import DONE, NO, JsonFlag, print_json, print_table

if TYPE_CHECKING:
    from authserver.services import Services
    from authserver.settings import Settings

Verdict = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    verdict: Verdict
    detail: str


def doctor(as_json: JsonFlag = False) -> None:
    """Check everything a server needs. Settings, master key, database, schema, signing keys, revocation log, Redis,
    clock; status 1 if something is wrong."""
    findings = asyncio.run(examine())
    if as_json:
        print_json(
            {
                "ok": not _wrong(findings),
                "checks": [{"check": f.check, "verdict": f.verdict, "detail": f.detail} for f in findings],
            }
        )
    else:
        rows = [{"check": f.check, "verdict": f.verdict, "detail": f.detail} for f in findings]
        print_table(rows, ("check", "verdict", "detail"), empty="nothing to check")
    raise typer.Exit(NO if _wrong(findings) else DONE)


def _wrong(findings: list[Finding]) -> bool:
    return any(finding.verdict == "wrong" for finding in findings)


async def examine() -> list[Finding]:
    from authserver.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        return [Finding("settings", "wrong", str(error))]
    findings = [_settings(settings), _issuer(settings), _master_key(settings)]
    return [*findings, *await _database(settings), *await _redis(settings)]


def _settings(settings: Settings) -> Finding:
    from authserver.settings import config_file, mask_url

    source = config_file() or "environment and defaults"
    return Finding("settings", "ok", f"{source}; database {mask_url(settings.database_url)}")


def _issuer(settings: Settings) -> Finding:
    if settings.is_https:
        return Finding("issuer", "ok", settings.issuer)
    return Finding("issuer", "warning", f"{settings.issuer} is plain http: for development on this machine only")


def _master_key(settings: Settings) -> Finding:
    from authserver.tokens.masterkey import MasterKeyError, load_master_key

    path = settings.master_key_path
    try:
        load_master_key(path)
    except MasterKeyError as error:
        return Finding("master key", "wrong", str(error))
    if _others_may_write(path.parent):
        return Finding("master key", "warning", f"others may write to {path.parent}: chmod 700 {path.parent}")
    return Finding("master key", "ok", str(path))


def _others_may_write(directory: Path) -> bool:
    return bool(directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH))


async def _database(settings: Settings) -> list[Finding]:
    """Database, schema, signing keys and clock: each only makes sense after the one before."""
    from authserver import wiring
    from authserver.clock import system_clock
    from authserver.settings import SettingsError
    from authserver.storage.interface import StorageUnavailable
    from authserver.tokens.masterkey import MasterKeyError

    try:
        services = await wiring.build(settings)
    except StorageUnavailable as error:
        return [Finding("database", "wrong", f"does not answer: {error}")]
    except wiring.MigrationDue as error:
        return [Finding("database", "ok", "answers"), Finding("schema", "wrong", str(error))]
    except SettingsError as error:
        return [Finding("policies", "wrong", str(error))]
    except MasterKeyError as error:
        return [Finding("signing keys", "wrong", str(error))]
    try:
        state = await services.maintenance.schema_state()
        active = services.keys.snapshot.in_state("active")
        drift = abs(await services.maintenance.now() - system_clock())
        return [
            Finding("database", "ok", "answers"),
            Finding("schema", "ok", state),
            Finding("signing keys", "ok", f"{active.kid} signs")
            if active
            else Finding("signing keys", "warning", "none yet: the first start of the server makes one"),
            Finding("clock", "ok" if drift < 2000 else "warning", f"{drift} ms from the database's"),
            await _log(services),
        ]
    finally:
        await services.close()


async def _log(services: Services) -> Finding:
    """A loss that is proved needs a person; one that only the database knows of cannot be seen from here."""
    head = await services.log_store.head()
    where = f"{head.log}, {head.seq} records"
    if head.witness is not None:
        return Finding("revocation log", "wrong", f"{where}: it lost commits, so run authserver log renew")
    if head.pending:
        return Finding("revocation log", "warning", f"{where}; more is waiting to be published: does a server run?")
    return Finding("revocation log", "ok", where)


async def _redis(settings: Settings) -> list[Finding]:
    from authserver import wiring

    if settings.redis_url is None:
        return [Finding("redis", "ok", "not used")]
    if await wiring.redis_answers(settings.redis_url):
        return [Finding("redis", "ok", "answers")]
    return [Finding("redis", "warning", "does not answer: servers go on without it, changes reach others by polling")]
