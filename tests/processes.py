"""`authserver serve` as real processes, for what only processes show: signals, crashes, two of them at once."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.server_process import die_with_parent
from tests.servers import free_port

START_SECONDS = 30.0
ROOT = Path(__file__).parents[1]


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """Of a process with these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTHSERVER_")}
    chosen = {f"AUTHSERVER_{name.upper()}": str(value) for name, value in settings.items()}
    return {**kept, **chosen, "PYTHONPATH": str(ROOT)}


def authserver(
    *arguments: str, cwd: Path, given: str | None = None, **settings: object
) -> subprocess.CompletedProcess[str]:
    """One command, run to its end; `given` is its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "authserver", *arguments],
        cwd=cwd,
        env=environment(settings),
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class ServerProcess:
    """A server on a free port of 127.0.0.1; over https where `trust` names the file of its authority."""

    def __init__(
        self, directory: Path, *arguments: str, host: str = "127.0.0.1", trust: Path | None = None, **settings: object
    ) -> None:
        self.port = free_port()
        self.url = f"{'http' if trust is None else 'https'}://{host}:{self.port}"
        self._trust = trust
        self.log = directory / f"server-{self.port}.log"
        self._directory = directory
        self._arguments = arguments
        self._settings = {"log_format": "json", **settings}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> None:
        self.launch()
        self.wait_until("/readyz" if ready else "/healthz")

    def launch(self) -> None:
        command = [sys.executable, "-m", "authserver", "serve", "--port", str(self.port), *self._arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self._directory,
                env=environment(self._settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )

    def wait_until(self, path: str, status: int = 200, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if httpx.get(self.url + path, timeout=3, verify=self._verify()).status_code == status:
                    return
            except httpx.TransportError:
                pass
            if self.running.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{path} did not answer {status}:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def configure(self, **settings: object) -> None:
        """Before it starts: settings that depend on where it will listen."""
        self._settings |= settings

    def _verify(self) -> ssl.SSLContext | bool:
        return True if self._trust is None else ssl.create_default_context(cafile=self._trust)

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, "not started"
        return self.process

    def stop(self, how: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
        """Send a signal; the exit status."""
        if self.running.poll() is None:
            self.running.send_signal(how)
        return self.running.wait(seconds)

    def clean_up(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


@contextmanager
def serving(directory: Path, *arguments: str, **settings: object) -> Iterator[ServerProcess]:
    server = ServerProcess(directory, *arguments, **settings)
    try:
        server.start()
        yield server
    finally:
        server.clean_up()
