"""Many users at once: in from a file, out as JSON lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TextIO

from authserver.accounts.password_rules import check_new_password
from authserver.accounts.usernames import username_key
from authserver.cli.output import print_json
from authserver.cli.runtime import every
from authserver.cli.user_files import UserLine, read_users
from authserver.model.audit import Caller
from authserver.model.errors import Conflict, Refused
from authserver.model.inputs import rfc3339

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from authserver.services import Services

AT_ONCE: Final = 32
"""Lines in progress: enough to keep the hashing threads busy, few enough to keep memory flat."""


@dataclass(kw_only=True)
class ImportReport:
    added: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)
    """Line numbers and what is wrong there, in the order of the file."""
    dry_run: bool = False

    def document(self) -> dict[str, object]:
        failed = [{"line": number, "error": problem} for number, problem in self.failed]
        return {"added": self.added, "failed": failed, "dry_run": self.dry_run}


async def import_file(services: Services, file: TextIO, *, dry_run: bool, caller: Caller) -> ImportReport:
    """Add the users of a file, each in a transaction of its own: a bad line, or a failure half-way,
    leaves every other user whole, and importing the file again adds what is missing."""
    report = ImportReport(dry_run=dry_run)
    keys: set[str] = set()
    running: set[asyncio.Task[None]] = set()
    async with _progress() as advance:
        for item in read_users(file):
            if len(running) >= AT_ONCE:
                running = await _some_of(running)
            if isinstance(item, UserLine):
                running.add(asyncio.create_task(_one(services, item, report, keys, caller)))
            else:
                report.failed.append((item[0], str(item[1])))
            advance()
        while running:
            running = await _some_of(running)
    report.failed.sort()
    return report


async def _some_of(running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Those that still run once at least one is done; a failure that is no line's fault ends the import."""
    done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return running


async def _one(services: Services, line: UserLine, report: ImportReport, keys: set[str], caller: Caller) -> None:
    try:
        key = username_key(line.username)
        if key in keys:
            raise Conflict("this username stands on an earlier line")
        keys.add(key)
        if report.dry_run:
            await _check(services, line, key)
        else:
            await services.directory.create(
                line.username,
                line.password,
                password_hash=line.password_hash,
                enabled=line.enabled,
                claims=line.claims,
                caller=caller,
            )
    except Refused as error:
        report.failed.append((line.number, error.description))
    else:
        report.added += 1


async def _check(services: Services, line: UserLine, key: str) -> None:
    """What `Directory.create` would refuse, without hashing or writing."""
    if line.password is not None:
        check_new_password(line.password, line.username)
    if await services.users.by_username(key) is not None:
        raise Conflict("this username is taken")


async def export_all(services: Services, *, with_hashes: bool) -> None:
    """One JSON object a line, readable by `users import`."""
    async for user in every(services.users.list):
        record: dict[str, object] = {
            "id": user.id,
            "username": user.username,
            "enabled": user.enabled,
            "created_at": rfc3339(user.created_at),
            "updated_at": rfc3339(user.updated_at),
        }
        if user.claims:
            record["claims"] = dict(user.claims)
        if with_hashes and user.password_hash is not None:
            record["password_hash"] = user.password_hash
        print_json(record, indent=None)


class _Advance:
    """Counts lines on the terminal; silent when nobody watches."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def __call__(self) -> None:
        self._progress.advance(self._task)


@asynccontextmanager
async def _progress() -> AsyncIterator[_Advance]:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("users"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield _Advance(progress, progress.add_task("users", total=None))
