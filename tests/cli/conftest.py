"""A place to run commands in: its own directory with a migrated SQLite database and a master key."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner

from authserver.cli import build

T = TypeVar("T")
PASSWORD = "three small green frogs"


@dataclass(frozen=True)
class Ran:
    """What a command did: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Desk:
    """Runs commands in one directory, as one operator at one terminal would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database_url = f"sqlite+aiosqlite:///{directory}/authserver.db"

    def __call__(self, *arguments: str, typed: str | None = None) -> Ran:
        """Run a command that is expected to work."""
        ran = self.try_(*arguments, typed=typed)
        assert ran.status == 0, f"{arguments}: {ran.status} {ran.err}"
        return ran

    def json(self, *arguments: str, typed: str | None = None) -> Any:
        return self(*arguments, "--json", typed=typed).json

    def try_(self, *arguments: str, typed: str | None = None) -> Ran:
        """Run a command, whatever comes of it; never with a traceback."""
        result = CliRunner().invoke(build(arguments[0]), [*arguments], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.stderr
        return Ran(result.exit_code, result.stdout, result.stderr)

    def user(self, name: str = "ada") -> str:
        """A user with PASSWORD; returns its id."""
        return str(self.json("users", "add", name, "--password-stdin", typed=f"{PASSWORD}\n")["user_id"])

    def app(self, client_id: str = "app") -> str:
        """A first-party public client, as a mobile app would be."""
        self(
            "clients",
            "add",
            client_id,
            "--auth-method",
            "none",
            "--first-party",
            "--grant",
            "refresh_token",
            "--scope",
            "read write",
        )
        return client_id

    def program(self, client_id: str = "robot", *more: str) -> str:
        """A confidential client; returns its secret."""
        return str(self.json("clients", "add", client_id, "--scope", "read", *more)["client_secret"])

    def services(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Whatever the server would do meanwhile, through its own services."""

        async def with_services() -> T:
            from authserver import wiring
            from authserver.settings import load_settings

            services = await wiring.build(load_settings())
            try:
                await services.rotation.ensure_keys()
                return await work(services)
            finally:
                await services.close()

        return asyncio.run(with_services())

    def start_once(self) -> None:
        """What the first start of a server leaves behind: a signing key."""

        async def nothing(_: Any) -> None: ...

        self.services(nothing)

    def log_in(self, name: str = "ada", client_id: str = "app") -> tuple[str, str]:
        """A log-in in token mode; returns access and refresh token."""

        async def begin(services: Any) -> tuple[str, str]:
            from authserver.model.audit import Caller
            from authserver.model.grant import Authorization
            from authserver.sessions.lifecycle import LogIn

            user = await services.directory.by_username(name)
            client = await services.clients.get(client_id)
            begun = await services.sessions.begin(
                LogIn(user=user, client=client, mode="token", scope=("read",), resources=(services.issuer,)),
                Caller(actor="anonymous", address="192.0.2.7", user_agent="tests"),
            )
            minted = services.issuance.tokens.access_token(
                Authorization(
                    client=client,
                    subject=user.id,
                    scope=("read",),
                    audience=(services.issuer,),
                    versions=begun.family.versions,
                    family_id=begun.family.id,
                    auth_time=begun.session.auth_time,
                )
            )
            return minted.token, begun.refresh_token

        return self.services(begin)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `authserver init` leaves, made once and copied for each test."""
    directory = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        _live_in(patch, directory)
        Desk(directory)("init")
    return directory


@pytest.fixture
def cli(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    _live_in(monkeypatch, tmp_path)
    return Desk(tmp_path)


def _live_in(patch: pytest.MonkeyPatch, directory: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AUTHSERVER_")]:
        patch.delenv(name)
    patch.chdir(directory)
    patch.setenv("AUTHSERVER_DATABASE_URL", Desk(directory).database_url)
    patch.setenv("AUTHSERVER_KEYS_DIR", str(directory / "keys"))
