"""What a server has in memory is what it uses: each of these takes megabytes, and memory has its goal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT

STARTED = """
import asyncio, sys
from authserver.app import create_app
from authserver.settings import load_settings

async def start():
    started = asyncio.Event()
    messages = iter([{"type": "lifespan.startup"}])
    async def receive():
        for message in messages:
            return message
        started.set()
        return {"type": "lifespan.shutdown"}
    async def send(message):
        assert "failed" not in message["type"], message
    await create_app(load_settings())({"type": "lifespan"}, receive, send)
    assert started.is_set()

asyncio.run(start())
print(*(name for name in sys.argv[1:] if name in sys.modules))
"""

ON_DEMAND = {
    "jinja2": "the first page",
    "httpcore": "the first request to somebody else",
    "alembic": "a migration",
    "asyncpg": "PostgreSQL",
    "redis": "Valkey",
    "authserver.storage.redis": "Valkey",
    "authserver.verifier.verifier": "resource servers",
    "cryptography.hazmat.backends.openssl.backend": "ES256",
    "authserver.cli.clients": "its command",
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Those of `ON_DEMAND` that a server on SQLite has loaded when it has started."""
    directory = tmp_path_factory.mktemp("server")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AUTHSERVER_")}
    env = ours | {
        "PYTHONPATH": str(ROOT),
        "AUTHSERVER_ISSUER": "http://127.0.0.1:8000",
        "AUTHSERVER_KEYS_DIR": str(directory / "keys"),
        "AUTHSERVER_DATABASE_URL": f"sqlite+aiosqlite:///{directory / 'authserver.db'}",
    }
    run(directory, env, "-m", "authserver", "init")
    return set(run(directory, env, "-c", STARTED, *ON_DEMAND, "authserver.web.token").split())


def run(directory: Path, env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ON_DEMAND)
def test_what_only_some_servers_need_is_loaded_on_demand(loaded: set[str], module: str) -> None:
    assert "authserver.web.token" in loaded
    assert module not in loaded, f"it is for {ON_DEMAND[module]}"


def test_every_name_of_the_verifier_is_there_when_it_is_asked_for() -> None:
    from authserver import verifier

    assert {name for name in verifier.__all__ if getattr(verifier, name, None) is not None} == set(verifier._HOMES)
    with pytest.raises(AttributeError, match="no attribute 'Verifyer'"):
        verifier.Verifyer  # noqa: B018 - the look-up is what raises
