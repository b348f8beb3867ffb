"""`authserver dev --with-resource-server`: the example API beside the server, and what is printed about it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import ROOT, authserver, environment
from tests.server_process import until
from tests.servers import free_port

GUIDE = (ROOT / "docs/guide/log-out-with-tokens.md").read_text()
STEPS = re.findall(r"```sh\n(.*?)```\n(?:```\n(.*?)```)?", GUIDE, re.DOTALL)
"""What is typed, and what is printed below it, "" where nothing is."""
SECONDS = 3.0
"""Far more than a revocation takes to arrive: docs/benchmark.md says how long that is."""


class Both:
    """The server and the example API."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / "output"
        self.auth, self.api = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        ports = ["--port", self.auth.rpartition(":")[2], "--resource-server-port", self.api.rpartition(":")[2]]
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "authserver", "dev", "--with-resource-server", *ports],
                cwd=directory, env=environment({}), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        return answers(f"{self.auth}/readyz") == 200 and answers(self.api) == 401

    def log_in(self) -> dict[str, Any]:
        made = json.loads((self.directory / "var/demo.json").read_text())
        login = {**made["user"], "client_id": made["public_client"]["client_id"]}
        return dict(httpx.post(f"{self.auth}/login", json=login).json())

    def call(self, token: str) -> httpx.Response:
        return httpx.get(self.api, headers={"Authorization": f"Bearer {token}"})


def answers(url: str) -> int | None:
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.TransportError:
        return None


@contextmanager
def both(directory: Path) -> Iterator[Both]:
    running = Both(directory)
    try:
        until(running.is_up, seconds=60)
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
        running.process.wait(20)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both(tmp_path_factory.mktemp("dev")) as running:
        yield running


def test_a_token_is_accepted_until_it_is_revoked(demo: Both) -> None:
    tokens, bystander = demo.log_in(), demo.log_in()
    called = demo.call(tokens["access_token"])
    assert (called.status_code, called.json()["client"]) == (200, "demo-app")

    revoked = httpx.post(f"{demo.auth}/revoke", data={"client_id": "demo-app", "token": tokens["refresh_token"]})
    assert revoked.status_code == 200
    begun = time.monotonic()
    while (answer := demo.call(tokens["access_token"])).status_code == 200 and time.monotonic() - begun < SECONDS:
        time.sleep(0.01)
    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_token", "error_description": "The token was revoked."}
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert demo.call(bystander["access_token"]).status_code == 200


def test_a_token_without_the_scope_is_refused(demo: Both) -> None:
    made = json.loads((demo.directory / "var/demo.json").read_text())
    login = {**made["user"], "client_id": "demo-app", "scope": "write"}
    token = httpx.post(f"{demo.auth}/login", json=login).json()["access_token"]
    assert demo.call(token).status_code == 403


def test_the_lines_it_prints_do_what_they_say(demo: Both, tmp_path: Path) -> None:
    lines = "# log in" + demo.output.read_text().partition("# log in")[2].partition("# for the command line")[0]
    assert lines.count(demo.api) == 2
    answered = [json.loads(line) for line in typed(lines, tmp_path).splitlines() if line.startswith("{")]
    assert [answer for answer in answered if "hello" in answer] == [answered[4]]
    assert answered[-1] == {"error": "invalid_token", "error_description": "The token was revoked."}


def typed(lines: str, directory: Path) -> str:
    """What a shell in that directory says to them."""
    _command(directory, "python3", f'"{sys.executable}"')
    if shutil.which("curl") is None:
        _command(directory, "curl", f'"{sys.executable}" "{ROOT}/tests/cli/curl_stand_in.py"')
    done = subprocess.run(
        ["sh", "-eu", "-c", lines], capture_output=True, text=True, check=True, timeout=60, cwd=directory,
        env={"PATH": f"{directory}/bin:{environment({})['PATH']}"},
    )  # fmt: skip
    return done.stdout


def _command(directory: Path, name: str, does: str) -> None:
    script = directory / "bin" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\nexec {does} "$@"\n')
    script.chmod(0o755)


def test_the_commands_of_the_guide_do_what_it_says_one_after_the_other(tmp_path: Path) -> None:
    mark = "@@ next step @@"
    with both(tmp_path) as running:
        script = f"\necho; echo '{mark}'\n".join(commands for commands, _ in STEPS)
        script = script.replace("http://127.0.0.1:8000", running.auth).replace("http://127.0.0.1:9000", running.api)
        answers = typed(script, tmp_path).split(mark)
    for (commands, printed), answer in zip(STEPS, answers, strict=True):
        assert answer.strip() == printed.strip(), commands
    assert len([printed for _, printed in STEPS if printed]) == 2, "it has commands for both ways"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_api_ends_with_the_server_however_that_ends(tmp_path: Path, how: signal.Signals) -> None:
    with both(tmp_path) as running:
        running.process.send_signal(how)
        assert running.process.wait(20) == (-signal.SIGKILL if how == signal.SIGKILL else 0)
        if how == signal.SIGKILL:
            until(lambda: answers(running.api) is None, seconds=10)
        assert answers(running.api) is None, "gone before the server is"
        assert "Traceback" not in running.output.read_text()


def test_ctrl_c_which_every_process_in_the_foreground_gets_ends_both_without_a_complaint(tmp_path: Path) -> None:
    with both(tmp_path) as running:
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(20) == 0
        assert "revocation feed" not in running.output.read_text()


def test_server_and_api_cannot_have_the_same_port(tmp_path: Path) -> None:
    arguments = ["--port", "8123", "--with-resource-server", "--resource-server-port", "8123"]
    done = authserver("dev", *arguments, cwd=tmp_path)
    said = "authserver: server and API cannot both have port 8123; use another --resource-server-port\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)
    assert os.listdir(tmp_path) == []


def test_a_port_that_is_taken_is_one_line_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["--port", str(free_port()), "--with-resource-server", "--resource-server-port", port]
        done = authserver("dev", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"authserver: port {port} is in use; use --resource-server-port N\n"
    assert os.listdir(tmp_path) == []
