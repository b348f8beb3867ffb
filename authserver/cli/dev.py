"""`authserver dev`: from nothing to a server with somebody to log in and the lines to try it with."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from authserver.cli.demo import API, Demo
from authserver.cli.output import MISUSE, fail
from authserver.model.audit import Caller

if TYPE_CHECKING:
    import socket

    from authserver.cli.beside import ResourceServerProcess
    from authserver.services import Services
    from authserver.settings import Settings

DEFAULT_DATA_DIR = Path("var")
EXPORTED = ("issuer", "database_url", "keys_dir")
DEVELOPER = Caller(actor="cli", address="authserver dev")


def dev(
    port: Annotated[int, typer.Option(help="Port to listen on, at 127.0.0.1.")] = 8000,
    data_dir: Annotated[Path, typer.Option(help="Where database and demo.json live.")] = DEFAULT_DATA_DIR,
    with_resource_server: Annotated[
        bool, typer.Option("--with-resource-server", help="Start an example API beside it, which verifies locally.")
    ] = False,
    resource_server_port: Annotated[int, typer.Option(help="Port of that API, at 127.0.0.1.")] = 9000,
) -> None:
    """Serve for development. Tables, master key, demo user and demo clients are made where they are missing."""
    from authserver.cli.listening import bind
    from authserver.cli.setup import ensure_master_key, run_migrations, settings_or_leave
    from authserver.cli.walkthrough import walkthrough

    if with_resource_server and port == resource_server_port != 0:
        fail(f"server and API cannot both have port {port}; use another --resource-server-port", MISUSE)
    decided = _overrides(port, data_dir)
    settings = settings_or_leave(**decided)
    sockets = bind(settings.host, settings.port)
    beside = bind("127.0.0.1", resource_server_port, "--resource-server-port") if with_resource_server else []
    data_dir.mkdir(parents=True, exist_ok=True)
    ensure_master_key(settings)
    run_migrations(settings)
    demo = asyncio.run(prepare(settings, data_dir / "demo.json"))
    api = f"http://127.0.0.1:{beside[0].getsockname()[1]}" if beside else None
    shown = walkthrough(settings.issuer, demo, api) + _exports(decided, settings_or_leave())
    _serve(settings, sockets, shown, _resource_server(settings, demo, beside))


def _serve(
    settings: Settings, sockets: list[socket.socket], shown: str, resource_server: ResourceServerProcess | None
) -> None:
    from authserver.cli.serve import run_server

    def ready() -> None:
        if resource_server is not None:
            resource_server.start()
        # Not before it answers; and typer.echo flushes, so that a file shows it at once, too.
        typer.echo(shown)

    def leaving() -> None:
        # First, or it would complain about the feed that ends.
        if resource_server is not None:
            resource_server.stop()

    try:
        run_server(settings, sockets, ready, leaving)
    finally:
        leaving()


def _resource_server(settings: Settings, demo: Demo, sockets: list[socket.socket]) -> ResourceServerProcess | None:
    from authserver.cli.beside import ResourceServerProcess

    credentials = {"CLIENT_ID": demo.SERVICE, "CLIENT_SECRET": demo.service_secret}
    environment = {"ISSUER": settings.issuer, "AUDIENCE": API, **credentials}
    return ResourceServerProcess(sockets, environment) if sockets else None


def _overrides(port: int, data_dir: Path) -> dict[str, Any]:
    """What `dev` decides, except where the environment already does. Keys lie in keys/ or beside another data_dir."""
    keys_dir = Path("keys") if data_dir == DEFAULT_DATA_DIR else data_dir / "keys"
    chosen = {
        "issuer": f"http://127.0.0.1:{port}",
        "database_url": f"sqlite+aiosqlite:///{data_dir}/authserver.db",
        "keys_dir": keys_dir,
    }
    free = {name: value for name, value in chosen.items() if not os.environ.get(f"AUTHSERVER_{name.upper()}")}
    return {**free, "host": "127.0.0.1", "port": port, "workers": 1}


def _exports(decided: dict[str, Any], usual: Settings) -> str:
    """What the command line needs in another terminal to mean this server; "" where it would without."""
    differ = {name: decided[name] for name in EXPORTED if name in decided and decided[name] != getattr(usual, name)}
    if not differ:
        return ""
    values = " ".join(f"AUTHSERVER_{name.upper()}={shlex.quote(str(value))}" for name, value in differ.items())
    return f"\n# for the command line (.venv/bin/authserver), in this directory\nexport {values}\n"


async def prepare(settings: Settings, file: Path) -> Demo:
    """Demo user and clients as `file` says, made or mended where the database says otherwise."""
    from authserver import wiring
    from authserver.cli.runtime import told

    with told():
        services = await wiring.build(settings)
        try:
            demo = _complete(_read(file))
            await _ensure_user(services, demo)
            for fields, secret in _clients(demo):
                await _ensure_client(services, fields, secret)
        finally:
            await services.close()
    _write(file, settings.issuer, demo)
    return demo


def _read(file: Path) -> Demo:
    """Passwords and secrets are stored only as hashes, so this file is the one place to read them from again."""
    try:
        known = json.loads(file.read_text())
        return Demo(
            username=str(known["user"]["username"]),
            password=str(known["user"]["password"]),
            service_secret=str(known["confidential_client"]["client_secret"]),
            admin_secret=str(known["admin_client"]["client_secret"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Demo()


def _complete(demo: Demo) -> Demo:
    return replace(
        demo,
        password=demo.password or secrets.token_urlsafe(12),
        service_secret=demo.service_secret or secrets.token_urlsafe(32),
        admin_secret=demo.admin_secret or secrets.token_urlsafe(32),
    )


def _write(file: Path, issuer: str, demo: Demo) -> None:
    content = {
        "issuer": issuer,
        "user": {"username": demo.username, "password": demo.password},
        "public_client": {"client_id": demo.APP, "redirect_uri": demo.REDIRECT_URI},
        "confidential_client": {"client_id": demo.SERVICE, "client_secret": demo.service_secret},
        "admin_client": {"client_id": demo.ADMIN, "client_secret": demo.admin_secret},
    }
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(content, out, indent=2)
        out.write("\n")
    draft.replace(file)


async def _ensure_user(services: Services, demo: Demo) -> None:
    from authserver.accounts.usernames import username_key

    user = await services.users.by_username(username_key(demo.username))
    if user is None:
        await services.directory.create(demo.username, demo.password, claims=demo.CLAIMS, caller=DEVELOPER)
    elif not await services.passwords.verify(demo.password, user.password_hash):
        await services.directory.set_password(user.id, demo.password, caller=DEVELOPER)


def _clients(demo: Demo) -> list[tuple[dict[str, object], str | None]]:
    """Fields as in POST /admin/clients, with the secret of a confidential one."""
    from authserver.administration.scopes import ADMIN_SCOPES

    app: dict[str, object] = {
        "client_id": demo.APP,
        "name": "Demo app",
        "auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "scopes": ["openid", "profile", "email", "offline_access", "read", "write"],
        "resources": [API],
        "redirect_uris": [demo.REDIRECT_URI],
        "application_type": "native",
        "first_party": True,
    }
    service: dict[str, object] = {
        "client_id": demo.SERVICE,
        "name": "Demo service",
        "scopes": ["read", "write"],
        "resources": [API],
        "audiences": [API],
    }
    admin: dict[str, object] = {"client_id": demo.ADMIN, "name": "Demo administration", "scopes": list(ADMIN_SCOPES)}
    return [(app, None), (service, demo.service_secret), (admin, demo.admin_secret)]


async def _ensure_client(services: Services, fields: Mapping[str, object], secret: str | None) -> None:
    directory, client_id = services.client_directory, str(fields["client_id"])
    stored = await directory.find(client_id)
    if stored is None:
        await directory.add(fields, caller=DEVELOPER, secret=secret)
        return
    # One that an earlier version made could do less.
    again = {name: fields[name] for name in ("grant_types", "scopes", "application_type") if name in fields}
    if directory.check(again, stored) != stored:
        await directory.update(client_id, again, caller=DEVELOPER)
    if secret is not None and not directory.has_secret(stored, secret):
        await directory.add_secret(client_id, secret=secret, retire_others_in=0, caller=DEVELOPER)
