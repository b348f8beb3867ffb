"""From a command to the services and back: settings in, one line on stderr and a status out.

Every command is one call of `run`. What it may meet on the way (bad settings, no master key,
a schema that is behind, a database that is down, a refusal) is told in one line, never as a traceback.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from authserver.cli.output import MISUSE, NO, fail
from authserver.model.audit import Caller
from authserver.model.page import Page, PageRequest

if TYPE_CHECKING:
    from authserver.model.account import User
    from authserver.services import Services

T = TypeVar("T")
Item = TypeVar("Item")

PAGE = 200


def run(work: Callable[[Services], Awaitable[T]], options: Mapping[str, str] | None = None) -> T:
    """What `work` returns, given the services of this machine's settings; leaves with 1 or 2 when it is refused.

    `options`: the words of the command line for the fields that a refusal may name.
    """
    with told(options or {}):
        return asyncio.run(_with_services(work))


@contextmanager
def told(options: Mapping[str, str] | None = None) -> Iterator[None]:
    """Whatever is refused or missing inside leaves with one line on stderr and the status that fits."""
    from authserver.model.errors import Refused
    from authserver.model.inputs import InvalidField
    from authserver.settings import SettingsError
    from authserver.storage.interface import AlreadyExists, StorageUnavailable
    from authserver.tokens.masterkey import MasterKeyError

    try:
        yield
    except (SettingsError, MasterKeyError) as error:
        fail(str(error), MISUSE)
    except StorageUnavailable as error:
        fail(f"the database is not available: {error}; this may not have been done, and it is safe to repeat", MISUSE)
    except AlreadyExists:
        fail("that name is taken", NO)
    except InvalidField as error:
        fail(f"{(options or {}).get(error.field, error.field)} {error.problem}", MISUSE)
    except Refused as error:
        fail(error.description, MISUSE if error.status == 400 else NO)


def operator() -> Caller:
    """Who is at the command line, for the audit log: the operating system's word, not an environment variable's."""
    import os
    import pwd

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return Caller(actor="cli", address=f"os-user:{name}")


async def find_user(services: Services, name_or_id: str) -> User:
    """By username first, because a UUID can be one; raises NotFound."""
    from authserver.accounts.usernames import username_key
    from authserver.model.errors import NotFound, Refused

    try:
        user = await services.users.by_username(username_key(name_or_id))
    except Refused:
        user = None
    user = user or await services.users.get(name_or_id)
    if user is None:
        raise NotFound(f"there is no user {name_or_id}")
    return user


async def every(
    listing: Callable[[PageRequest], Awaitable[Page[Item]]], limit: int | None = None
) -> AsyncIterator[Item]:
    """The items of all pages, at most `limit` of them."""
    after, left = None, limit
    while left is None or left > 0:
        page = await listing(PageRequest(limit=min(PAGE, left or PAGE), after=after))
        for item in page.items:
            yield item
        left = None if left is None else left - len(page.items)
        after = page.next_after
        if after is None:
            return


async def _with_services(work: Callable[[Services], Awaitable[T]]) -> T:
    from authserver import telemetry, wiring
    from authserver.settings import load_settings

    settings = load_settings()
    # Remarks of the services go to stderr: standard output belongs to the command.
    telemetry.set_up_logging(settings.log_format, "WARNING")
    services = await wiring.build(settings)
    try:
        return await work(services)
    finally:
        await services.close()
