"""A server with one worker, made ready the way an operator would: the command line, then the admin API."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.process import ServerProcess, StartError, environment, free_port, serving
from benchmarks.site import REDIRECT, RESOURCE, SCOPE, Site

USERS = 16
SERVICE, APP, WEB = "bench-service", "bench-app", "bench-web"


@contextmanager
def running_site(scratch: Path, settings: Mapping[str, str]) -> Iterator[tuple[ServerProcess, Site]]:
    """The real server on these settings, `of_issuer` for instance, all others at their defaults."""
    port = int(settings["AUTHSERVER_PORT"])
    _authserver(scratch, settings, "init")
    with _serving(scratch, settings, port) as server:
        yield server, _furnish(port, _admin_token(scratch, settings, port))


def of_issuer(scratch: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """`settings` for a new issuer on a free port."""
    port = free_port()
    return {
        "AUTHSERVER_ISSUER": f"http://127.0.0.1:{port}",
        "AUTHSERVER_KEYS_DIR": str(scratch / "keys"),
        "AUTHSERVER_PORT": str(port),
        "AUTHSERVER_WORKERS": "1",
        **settings,
    }


@contextmanager
def node(scratch: Path, settings: Mapping[str, str]) -> Iterator[ServerProcess]:
    """One more server of an issuer that was made ready already, on a port of its own."""
    port = free_port()
    with _serving(scratch, {**settings, "AUTHSERVER_PORT": str(port)}, port) as server:
        yield server


@contextmanager
def _serving(scratch: Path, env: Mapping[str, str], port: int) -> Iterator[ServerProcess]:
    log = scratch / f"server-{port}.log"
    with serving(["-m", "authserver", "serve"], port=port, ready="/readyz", env=env, log=log, cwd=scratch) as server:
        yield server


def _authserver(scratch: Path, env: Mapping[str, str], *arguments: str) -> str:
    """What a command prints; raises StartError with its complaint when it fails."""
    command = [sys.executable, "-m", "authserver", *arguments]
    done = subprocess.run(command, cwd=scratch, env=environment(env), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(f"authserver {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout


def _admin_token(scratch: Path, env: Mapping[str, str], port: int) -> str:
    options = ["--grant", "client_credentials", "--scope", "admin", "--json"]
    made = json.loads(_authserver(scratch, env, "clients", "add", "bench-admin", *options))
    form = {"grant_type": "client_credentials", "scope": "admin"}
    answer = httpx.post(
        f"http://127.0.0.1:{port}/token",
        data=form,
        auth=(made["client_id"], made["client_secret"]),
    ).raise_for_status()
    return str(answer.json()["access_token"])


def _furnish(port: int, token: str) -> Site:
    headers = {"Authorization": f"Bearer {token}"}
    password = secrets.token_urlsafe(16)
    usernames = tuple(f"bench-{number}" for number in range(USERS))
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as admin:
        for username in usernames:
            _post(admin, "/admin/users", {"username": username, "password": password})
        service = _post(admin, "/admin/clients", _SERVICE)
        _post(admin, "/admin/clients", _APP)
        web = _post(admin, "/admin/clients", _WEB)
    return Site(
        port=port,
        service_id=SERVICE,
        service_secret=service["client_secret"],
        admin_token=token,
        app_id=APP,
        web_id=WEB,
        web_secret=web["client_secret"],
        usernames=usernames,
        password=password,
    )


def _post(admin: httpx.Client, path: str, body: Mapping[str, object]) -> dict[str, str]:
    answer = admin.post(path, json=body)
    if answer.is_error:
        raise StartError(f"POST {path}: {answer.status_code} {answer.text}")
    made: dict[str, str] = answer.json()
    return made


_SERVICE = {
    "client_id": SERVICE,
    "name": "bench service",
    "auth_method": "client_secret_basic",
    "grant_types": ["client_credentials"],
    "scopes": [SCOPE],
    "resources": [RESOURCE],
    "audiences": [RESOURCE],
}
_APP = {
    "client_id": APP,
    "name": "bench app",
    "auth_method": "none",
    "first_party": True,
    "grant_types": ["refresh_token"],
    "scopes": [SCOPE],
    "resources": [RESOURCE],
}
_WEB = {
    "client_id": WEB,
    "name": "bench web app",
    "auth_method": "client_secret_basic",
    "first_party": True,
    "grant_types": ["authorization_code", "refresh_token"],
    "redirect_uris": [REDIRECT],
    "scopes": ["openid", SCOPE],
    "resources": [RESOURCE],
}
