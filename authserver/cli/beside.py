"""The example resource server in a process of its own, which ends with the one that started it.

`python -m authserver.cli.beside FD` is that process. It serves on the socket FD, which is bound already, so that a port
that is taken was told before anything was made.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

_GRACE_SECONDS = 5


class ResourceServerProcess:
    """Started once the server answers; its standard input is what it lives by."""

    def __init__(self, sockets: Sequence[socket.socket], environment: Mapping[str, str]) -> None:
        """`environment`: ISSUER, AUDIENCE, CLIENT_ID, CLIENT_SECRET."""
        self._socket = sockets[0]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        number = self._socket.fileno()
        self._process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "authserver.cli.beside", str(number)],
            env={**os.environ, **self._environment},
            stdin=subprocess.PIPE,
            pass_fds=[number],
            process_group=0,  # Ctrl-C is for the server, which ends this one first
        )
        self._socket.close()

    def stop(self) -> None:
        """Also when this process is killed and never gets here, the other one sees its input end, and leaves."""
        if self._process is None or self._process.stdin is None or self._process.returncode is not None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _leave_with_the_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main(number: int) -> None:
    """Serve until standard input ends, or SIGTERM."""
    import uvicorn

    from authserver.cli.example_resource_server import app

    threading.Thread(target=_leave_with_the_parent, daemon=True).start()
    # uvicorn finishes its shutdown first and then raises the signal again: this is what it meets.
    for end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(end, lambda *_: sys.exit(0))
    config = uvicorn.Config(app, lifespan="on", log_level="warning", server_header=False)
    uvicorn.Server(config).run([socket.socket(fileno=number)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
