"""A server as a child process: started until it answers, frozen, stopped, never left behind."""

from __future__ import annotations

import ctypes
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

START_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """In the child: on Linux the kernel stops it when the process that started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Ask again and again until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


class Process:
    """A server as a child process in its own session, so that Ctrl-C reaches only the tests."""

    def __init__(
        self, command: Sequence[str], *, ready: Callable[[], bool], log: Path, user: int | None = None
    ) -> None:
        self.command, self.ready, self.log, self.user = list(command), ready, log, user
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None, "not started"
        return self._child.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
                cwd=self.log.parent,
                **as_user(self.user),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if self._child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals) -> None:
        """Send `how`, wait until the process is gone; one that hangs is killed. Idempotent."""
        if self._child is None:
            return
        self.resume()
        self._child.send_signal(how)
        try:
            self._child.wait(20)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    def pause(self) -> None:
        """Freeze the process and its children: connections stay open and nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, which: signal.Signals) -> None:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            for each in [process, *process.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(which)


def as_user(user: int | None) -> dict[str, Any]:
    return {} if user is None else {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}
