"""examples/mcp_server.py as a process, over TLS, trusting the provider of the test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.interop.provider import Provider
from tests.processes import ROOT
from tests.server_process import die_with_parent
from tests.servers import free_port

START_SECONDS = 30.0
SCOPE = "notes:read"


@contextmanager
def notes(provider: Provider) -> Iterator[str]:
    """Its resource identifier, which is its URL."""
    port = free_port()
    resource = f"https://localhost:{port}/mcp"
    environment = {
        **os.environ,
        "ISSUER": provider.issuer,
        "AUDIENCE": resource,
        "SSL_CERT_FILE": str(provider.authority),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "examples")]),
    }
    tls = ["--ssl-certfile", provider.directory / "cert.pem", "--ssl-keyfile", provider.directory / "key.pem"]
    log = provider.directory / f"notes-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "mcp_server:app", "--port", str(port), *tls],
            env=environment,
            stdout=out,
            stderr=out,
            preexec_fn=die_with_parent,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(resource, provider):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield resource
    finally:
        process.terminate()
        process.wait(20)


def _answers(resource: str, provider: Provider) -> bool:
    try:
        return httpx.post(resource, verify=provider.trust, trust_env=False).status_code == 401
    except httpx.TransportError:
        return False
