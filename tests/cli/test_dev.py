"""`authserver dev`: what scripts/run starts."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from authserver.cli.dev import _exports, _overrides
from authserver.settings import load_settings
from tests.processes import ROOT, authserver, environment
from tests.servers import free_port


@contextmanager
def developing(
    directory: Path, *arguments: str, ended_by: signal.Signals = signal.SIGTERM
) -> Iterator[tuple[str, Path]]:
    """A running `authserver dev`; its URL, and the file its output goes to."""
    port = free_port()
    output = directory / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "authserver", "dev", "--port", str(port), *arguments],
            cwd=directory,
            env=environment({}),
            stdout=out,
            stderr=out,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process, output)
        yield url, output
        process.send_signal(ended_by)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], output: Path) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None, output.read_text()
        time.sleep(0.05)
    raise AssertionError(output.read_text())


def demo(directory: Path, data: str = "var") -> dict[str, Any]:
    return dict(json.loads((directory / data / "demo.json").read_text()))


def log_in(url: str, made: dict[str, Any]) -> httpx.Response:
    return httpx.post(f"{url}/login", json={**made["user"], "client_id": made["public_client"]["client_id"]})


def test_from_nothing_to_a_log_in_and_the_same_again(tmp_path: Path) -> None:
    with developing(tmp_path) as (url, output):
        made = demo(tmp_path)
        assert made["issuer"] == url
        assert set(made) == {"issuer", "user", "public_client", "confidential_client", "admin_client"}
        assert log_in(url, made).status_code == 200
        assert made["user"]["password"] in output.read_text()
    assert stat.S_IMODE((tmp_path / "var" / "demo.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys" / "master.key").stat().st_mode) == 0o600

    with developing(tmp_path) as (url, _):
        again = demo(tmp_path)
        assert {**again, "issuer": ""} == {**made, "issuer": ""}, "who was made at the first start is still there"
        assert log_in(url, made).status_code == 200


def test_a_lost_demo_json_is_made_again_with_new_secrets_that_work(tmp_path: Path) -> None:
    with developing(tmp_path):
        before = demo(tmp_path)
    (tmp_path / "var" / "demo.json").unlink()
    with developing(tmp_path) as (url, _):
        made = demo(tmp_path)
        assert made["user"]["password"] != before["user"]["password"]
        assert log_in(url, made).status_code == 200
        assert log_in(url, before).status_code == 401
        client = made["confidential_client"]
        token = httpx.post(
            f"{url}/token",
            data={"grant_type": "client_credentials"},
            auth=(client["client_id"], client["client_secret"]),
        )
        assert token.status_code == 200


def test_another_data_directory_has_its_own_keys(tmp_path: Path) -> None:
    with developing(tmp_path, "--data-dir", "elsewhere"):
        assert (tmp_path / "elsewhere" / "keys" / "master.key").exists()
        assert (tmp_path / "elsewhere" / "authserver.db").exists()
        assert not (tmp_path / "keys").exists()


def test_the_demo_administrator_may_administer(tmp_path: Path) -> None:
    with developing(tmp_path) as (url, _):
        admin = demo(tmp_path)["admin_client"]
        token = httpx.post(
            f"{url}/token", data={"grant_type": "client_credentials"}, auth=(admin["client_id"], admin["client_secret"])
        )
        bearer = {"Authorization": f"Bearer {token.json()['access_token']}"}
        users = httpx.get(f"{url}/admin/users", headers=bearer)
        assert [user["username"] for user in users.json()["items"]] == ["demo"]


def test_the_lines_it_prints_do_what_they_say(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        stand_in = tmp_path / "bin" / "curl"
        stand_in.parent.mkdir()
        stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/tests/cli/curl_stand_in.py" "$@"\n')
        stand_in.chmod(0o755)
    with developing(tmp_path) as (_, output):
        lines = output.read_text().partition("# log in")[2].partition("\n20")[0]
        path = f"{tmp_path}/bin:{environment({})['PATH']}"
        done = subprocess.run(
            ["sh", "-eu", "-c", "# log in" + lines],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": path},
            timeout=60,
        )
    logged_in, called, refreshed, introspected, listed, revoked, *refused = done.stdout.split("\n")
    assert json.loads(logged_in)["token_type"] == "Bearer"
    assert json.loads(called)["user"]["username"] == "demo"
    assert json.loads(refreshed)["refresh_token"] != json.loads(logged_in)["refresh_token"]
    assert json.loads(introspected)["active"] is True
    assert len(json.loads(listed)["sessions"]) == 1
    assert revoked == "200"
    assert json.loads(refused[0]) == {"active": False}
    assert json.loads(refused[1])["error"] == "invalid_token"


def test_a_port_that_is_taken_is_one_line_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = authserver("dev", "--port", str(port), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"authserver: port {port} is in use; use --port N\n"
    assert not (tmp_path / "var").exists()


def test_the_lines_are_in_a_file_as_soon_as_it_answers_and_no_library_talks_in_between(tmp_path: Path) -> None:
    for _ in range(2):
        with developing(tmp_path) as (url, output):
            told = output.read_text()
            assert f"authserver for development at {url}" in told
            assert "Traceback" not in told
            assert "Impl" not in told
            assert "DDL" not in told


def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    with developing(tmp_path, ended_by=signal.SIGINT) as (_, output):
        pass
    assert "Traceback" not in output.read_text()


def test_the_command_line_means_this_server_after_the_line_that_is_printed_for_it(tmp_path: Path) -> None:
    with developing(tmp_path, "--data-dir", "else where") as (url, output):
        told = output.read_text()
        access = log_in(url, demo(tmp_path, "else where")).json()["access_token"]
        (exports,) = [line for line in told.splitlines() if line.startswith("export ")]
        verify = f"{sys.executable} -m authserver token verify"
        lines = f"{exports}\nprintf %s {access} | {verify}"
        done = subprocess.run(
            ["sh", "-euc", lines], cwd=tmp_path, env=environment({}), capture_output=True, text=True, check=False
        )
    assert done.stdout.startswith("valid\n"), done


def test_no_such_line_where_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = _overrides(8000, Path("var"))
    monkeypatch.chdir(tmp_path)
    assert _exports(chosen, load_settings()) == ""


@pytest.mark.parametrize("arguments", [["--with-a-resource-server"], ["--port", "many"], ["--no-such-option"]])
def test_what_it_does_not_know_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    assert authserver("dev", *arguments, cwd=tmp_path).returncode == 2
    assert not (tmp_path / "var").exists()
