"""Server processes: started, waited for, measured and stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

from benchmarks.cores import keep_on_server_core

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT = 30.0
STOP_TIMEOUT = 15.0


class StartError(Exception):
    """A server did not come up; the text is the end of its log."""


class ServerProcess:
    """One running server, its children included."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = psutil.Process(process.pid)
        self.port = port

    def cpu_seconds(self) -> float:
        """User and system time since the start."""
        return float(sum(times.user + times.system for times in (one.cpu_times() for one in self._tree())))

    def peak_rss_mb(self) -> float:
        """The most resident memory so far (what it is now, where the kernel does not keep the peak)."""
        return sum(peak_rss(one) for one in self._tree()) / 2**20

    def rss_mb(self) -> float:
        return float(sum(one.memory_info().rss for one in self._tree())) / 2**20

    def forget_peak(self) -> None:
        """Where the kernel can (Linux), `peak_rss_mb` is from now on that since this call."""
        for one in self._tree():
            with suppress(OSError):
                Path(f"/proc/{one.pid}/clear_refs").write_text("5")

    def _tree(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]


def peak_rss(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return int(process.memory_info().rss)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without the settings of another server that may be in it, and with the checkout importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTHSERVER_")}
    return kept | {"PYTHONPATH": str(ROOT)} | dict(extra or {})


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(
    arguments: Sequence[str], *, port: int, ready: str, env: Mapping[str, str], log: Path, cwd: Path
) -> Iterator[ServerProcess]:
    """Run `python ARGUMENTS` until `ready` (a path) answers 2xx, yield it, and stop it with SIGTERM."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=cwd, env=environment(env), stdout=output, stderr=subprocess.STDOUT
        )
    keep_on_server_core(process.pid)
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}{ready}", log)
        yield ServerProcess(process, port)
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(url).is_success:
                return
        time.sleep(0.05)
    raise StartError(log.read_text(errors="replace")[-2000:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
