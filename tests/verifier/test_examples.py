"""The examples, run as their first lines say, against an issuer that is asked over HTTP."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from authserver.verifier.testing import AUDIENCE, FakeIssuer
from tests.processes import ROOT, environment
from tests.server_process import die_with_parent
from tests.servers import free_port

EXAMPLES = ROOT / "examples"
COMMANDS = {
    "fastapi_app.py": ["-m", "uvicorn", "fastapi_app:app", "--port"],
    "starlette_app.py": ["-m", "uvicorn", "starlette_app:app", "--port"],
    "flask_app.py": ["-m", "flask", "--app", "flask_app", "run", "--port"],
    "django_app.py": ["django_app.py", "runserver", "--noreload"],
}
REVOKED_WITHIN = 3.0
"""Seconds; what is measured is in docs/benchmark.md, and a loaded machine is slower."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[FakeIssuer]:
    with FakeIssuer(serve=True) as issuer:
        yield issuer


@contextmanager
def running(example: str, issuer: FakeIssuer, directory: Path) -> Iterator[httpx.Client]:
    port, log = free_port(), directory / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *COMMANDS[example], str(port)],
            cwd=EXAMPLES,
            env={**environment({}), "ISSUER": issuer.url, "AUDIENCE": AUDIENCE, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            preexec_fn=die_with_parent,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
            wait_for(client, process, log)
            yield client
    finally:
        process.kill()
        process.wait()


def wait_for(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            client.get("/health")
        except httpx.TransportError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text())


def test_each_example_is_tested() -> None:
    in_interop = {"mcp_server.py"}  # by tests/interop/test_mcp.py, which brings the clients it needs
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(COMMANDS) | in_interop


@pytest.mark.parametrize("example", COMMANDS)
def test_an_example_verifies_and_refuses_what_is_revoked(example: str, issuer: FakeIssuer, tmp_path: Path) -> None:
    token = issuer.token("ada", "orders:read")
    bearer = {"Authorization": f"Bearer {token}"}
    with running(example, issuer, tmp_path) as client:
        assert client.get("/health").json() == {"ready": True}
        assert client.get("/orders").status_code == 401
        assert client.get("/nowhere").status_code == 401
        assert client.get("/orders", headers=issuer.bearer("ada")).status_code == 403
        assert client.get("/orders", headers=bearer).json() == {"orders_of": "ada"}

        issuer.revoke_session(token)
        end = time.monotonic() + REVOKED_WITHIN
        while (answer := client.get("/orders", headers=bearer)).status_code == 200 and time.monotonic() < end:
            time.sleep(0.01)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        assert client.get("/orders", headers=issuer.bearer("ada", "orders:read")).status_code == 200


def test_fastapis_page_is_open_and_has_a_way_to_authorize(issuer: FakeIssuer, tmp_path: Path) -> None:
    with running("fastapi_app.py", issuer, tmp_path) as client:
        assert client.get("/docs").status_code == 200
        described = client.get("/openapi.json").json()
    assert described["components"]["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
    assert described["paths"]["/orders"]["get"]["security"] == [{"HTTPBearer": []}]
