"""From a name to its addresses, by the system's resolver, in threads of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from authserver.outgoing.errors import OutgoingFailed

Resolver: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Name -> addresses as text; raises OutgoingFailed when there are none."""

THREADS = 16


class SystemResolver:
    """A look-up cannot be called off. Names that others chose may take as long as their name servers like: they wait
    for each other here, and keep nobody else's thread."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolver")

    async def start(self) -> None:
        """Nothing: the threads come when they are needed."""

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, name: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, _addresses, name)
        except (OSError, UnicodeError):
            raise OutgoingFailed("has a name that cannot be resolved") from None


def _addresses(name: str) -> list[str]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
