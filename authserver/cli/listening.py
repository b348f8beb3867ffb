"""The sockets of a server, bound before anything is started, so that a port that is taken is one line and not a log."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from authserver.cli.output import MISUSE, fail


def bind(host: str, port: int, option: str = "--port") -> list[socket.socket]:
    """Bound to every address of `host` (localhost may have two); leaves with 2 and one line where that cannot be.

    They listen only when the server can answer, so that an open port means what scripts take it for. `option` is the
    one that chooses another port.
    """
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            sockets.append(_bound(family, address))
    except OSError as error:
        for each in sockets:
            each.close()
        fail(_explain(error, host, port, option), MISUSE)
    return sockets


def url(sockets: list[socket.socket], host: str, *, https: bool) -> str:
    """Where they answer, with the port that the system chose for 0."""
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if https else 'http'}://{shown}:{sockets[0].getsockname()[1]}"


def _addresses(host: str, port: int) -> list[tuple[int, Any]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


def _bound(family: int, address: Any) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.setblocking(False)
        made.set_inheritable(True)
    except OSError:
        made.close()
        raise
    return made


def _explain(error: OSError, host: str, port: int, option: str) -> str:
    if isinstance(error, socket.gaierror):
        return f"--host {host}: there is no such address"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use; use {option} N"
    if error.errno == errno.EACCES:
        return f"port {port} is only for root (or CAP_NET_BIND_SERVICE); use {option} N"
    return f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}"
