"""`authserver serve` as an operator meets it: refusals to start, signals, several workers."""

from __future__ import annotations

import base64
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from authserver.cli.demo import Demo
from authserver.cli.dev import prepare
from authserver.settings import Settings
from authserver.tokens.masterkey import create_master_key
from tests.conftest import run_apart
from tests.processes import ServerProcess, authserver, serving
from tests.server_process import until
from tests.servers import free_port


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> dict[str, Any]:
    """A server that could start."""
    create_master_key(tmp_path / "keys" / "master.key")
    return {"database_url": sqlite_url, "keys_dir": tmp_path / "keys"}


def refusal(tmp_path: Path, *arguments: str, **settings: Any) -> str:
    """What it says on stderr instead of starting."""
    done = authserver("serve", "--port", str(free_port()), *arguments, cwd=tmp_path, **settings)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


# -- what it refuses to start with ------------------------------------------------------------------


def test_a_migration_that_is_due_is_told_with_its_command(tmp_path: Path, settings: dict[str, Any]) -> None:
    empty = f"sqlite+aiosqlite:///{tmp_path}/empty.db"
    assert "authserver migrate" in refusal(tmp_path, **{**settings, "database_url": empty})


def test_a_missing_master_key_is_named(tmp_path: Path, settings: dict[str, Any]) -> None:
    (tmp_path / "keys" / "master.key").unlink()
    assert str(tmp_path / "keys" / "master.key") in refusal(tmp_path, **settings)


def test_a_master_key_open_to_others_is_named_and_never_shown(tmp_path: Path, settings: dict[str, Any]) -> None:
    path = tmp_path / "keys" / "master.key"
    path.chmod(0o644)
    told = refusal(tmp_path, **settings)
    assert str(path) in told
    assert path.read_text().strip() not in told


def test_another_master_key_than_the_databases_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    run_apart(prepare(Settings(**settings), tmp_path / "demo.json"))
    with serving(tmp_path, **settings) as server:
        server.stop()
    (tmp_path / "keys" / "master.key").unlink()
    create_master_key(tmp_path / "keys" / "master.key")
    assert str(tmp_path / "keys" / "master.key") in refusal(tmp_path, **settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", "http://auth.example"),
        ("acess_token_ttl", "5m"),
        ("workers", "many"),
        ("access_token_ttl", "9d"),
        ("key_announce_before", "89d23h"),
    ],
)
def test_settings_that_cannot_hold_are_named(tmp_path: Path, settings: dict[str, Any], name: str, value: str) -> None:
    if name == "key_announce_before":
        settings["key_rotation_interval"] = "1d"
    assert name.replace("_", " ") in refusal(tmp_path, **{**settings, name: value}).lower().replace("_", " ")


def test_a_database_that_is_down_is_told_without_its_password(tmp_path: Path, settings: dict[str, Any]) -> None:
    url = f"postgresql+asyncpg://me:hunter2@127.0.0.1:{free_port()}/x"
    assert "hunter2" not in refusal(tmp_path, **{**settings, "database_url": url})


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path, settings: dict[str, Any]) -> None:
    told = refusal(tmp_path, "--tls-cert", "cert.pem", "--tls-key", "key.pem", **settings)
    assert "cert.pem" in told


def test_a_port_that_is_taken_is_told(tmp_path: Path, settings: dict[str, Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = authserver("serve", "--port", port, cwd=tmp_path, **settings)
    assert done.returncode == 2
    assert done.stderr == f"authserver: port {port} is in use; use --port N\n"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_here_is_told(tmp_path: Path, settings: dict[str, Any], host: str) -> None:
    assert host in refusal(tmp_path, "--host", host, **settings)


# -- signals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_lets_requests_in_progress_finish(tmp_path: Path, settings: dict[str, Any], workers: int) -> None:
    demo = run_apart(prepare(Settings(**settings), tmp_path / "demo.json"))
    with serving(tmp_path, "--workers", str(workers), **settings) as server:
        with asking(server, demo) as (connection, body):
            server.running.send_signal(signal.SIGTERM)
            until(lambda: "Waiting for connections to close" in server.log.read_text())
            connection.sendall(body)
            answer = connection.makefile("rb").read()
        assert server.running.wait(30) == 0
    assert answer.startswith(b"HTTP/1.1 200 ")


@contextmanager
def asking(server: ServerProcess, demo: Demo) -> Iterator[tuple[socket.socket, bytes]]:
    """A token request that the server has begun to work on, and the body it waits for."""
    body = b"grant_type=client_credentials"
    auth = base64.b64encode(f"{Demo.SERVICE}:{demo.service_secret}".encode()).decode()
    head = (
        f"POST /token HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {auth}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n", "which it says when it wants the body"
        yield connection, body


def test_ctrl_c_ends_it_cleanly(tmp_path: Path, settings: dict[str, Any]) -> None:
    with serving(tmp_path, **settings) as server:
        assert server.stop(signal.SIGINT) == 0
        assert "Traceback" not in server.log.read_text()


def test_nothing_is_left_half_done_by_a_crash(tmp_path: Path, settings: dict[str, Any]) -> None:
    demo = run_apart(prepare(Settings(**settings), tmp_path / "demo.json"))
    with serving(tmp_path, **settings) as server:
        login = {"username": demo.username, "password": demo.password, "client_id": Demo.APP}
        tokens = httpx.post(f"{server.url}/login", json=login).json()
        httpx.post(f"{server.url}/revoke", data={"client_id": Demo.APP, "token": tokens["refresh_token"]})
        server.stop(signal.SIGKILL)
        server.start()
        refused = httpx.post(
            f"{server.url}/token",
            data={"grant_type": "refresh_token", "client_id": Demo.APP, "refresh_token": tokens["refresh_token"]},
        )
        assert refused.status_code == 400


# -- several workers ----------------------------------------------------------------------------------


def test_workers_share_one_key_and_their_metrics_add_up(tmp_path: Path, settings: dict[str, Any]) -> None:
    demo = run_apart(prepare(Settings(**settings), tmp_path / "demo.json"))
    with serving(tmp_path, "--workers", "2", **settings) as server:
        for _ in range(20):
            token = httpx.post(
                f"{server.url}/token",
                data={"grant_type": "client_credentials"},
                auth=(Demo.SERVICE, demo.service_secret),
            )
            assert token.status_code == 200
        metrics = httpx.get(f"{server.url}/metrics").text
        assert 'authserver_tokens_issued_total{grant="client_credentials"} 20.0' in metrics
        (memory,) = re.findall(r"^process_resident_memory_bytes (\S+)$", metrics, re.MULTILINE)
        workers = psutil.Process(server.running.pid).children()
        added = sum(w.memory_info().rss for w in workers if "spawn_main" in " ".join(w.cmdline()))
        assert float(memory) == pytest.approx(added, rel=0.1)
        assert len(httpx.get(f"{server.url}/.well-known/jwks.json").json()["keys"]) == 1


# -- what it says -------------------------------------------------------------------------------------


def test_answers_do_not_name_the_software(tmp_path: Path, settings: dict[str, Any]) -> None:
    with serving(tmp_path, **settings) as server:
        assert "server" not in httpx.get(f"{server.url}/healthz").headers


def test_logs_name_the_request_and_no_credential(tmp_path: Path, settings: dict[str, Any]) -> None:
    demo = run_apart(prepare(Settings(**settings), tmp_path / "demo.json"))
    with serving(tmp_path, access_log="true", log_level="DEBUG", **settings) as server:
        login = {"username": demo.username, "password": demo.password, "client_id": Demo.APP}
        answer = httpx.post(f"{server.url}/login", json=login)
        access, refresh = answer.json()["access_token"], answer.json()["refresh_token"]
        httpx.get(f"{server.url}/session?access_token={access}", headers={"Authorization": f"Bearer {access}"})
        httpx.post(f"{server.url}/token", data={"grant_type": "refresh_token", "refresh_token": refresh + "x"})
        httpx.post(
            f"{server.url}/token", data={"grant_type": "client_credentials"}, auth=(Demo.SERVICE, "wrong-secret")
        )
        server.stop()
        log = server.log.read_text()
    assert answer.headers["x-request-id"] in log
    for credential in (demo.password, access, refresh, "wrong-secret"):
        assert credential not in log
