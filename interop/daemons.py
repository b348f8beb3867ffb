"""Programs of the distribution as child processes that the system does not notice: no service, no root, no /etc."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.server_process import Process


@contextmanager
def directory_of_its_own() -> Iterator[Path]:
    """For a program's files, in a place that an ordinary user may enter, and his."""
    path = Path(tempfile.mkdtemp(prefix="authserver-interop-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running(command: Sequence[str], *, port: int, directory: Path) -> Iterator[None]:
    """Until it listens; as an ordinary user, to whom `directory` then belongs, also when root tests."""
    user = _ordinary_user()
    if user is not None:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, user, -1)
    process = Process(command, ready=lambda: _listens(port), log=directory / "output.log", user=user)
    try:
        process.start()
        yield
    finally:
        process.stop(signal.SIGTERM)


def _ordinary_user() -> int | None:
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
