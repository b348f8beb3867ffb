"""The README's commands, run one after the other as they are printed, answer what is printed below them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import free_port

ROOT = Path(__file__).parents[2]
STEP = re.compile(r"```sh\n(.*?)```\n```\n(.*?)```\n", re.DOTALL)
STEPS = STEP.findall((ROOT / "README.md").read_text())


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A directory in which `scripts/run` seems to have been started: `.venv/bin`, `var/`, a server."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    _script(tmp_path / ".venv/bin/python", f'exec "{sys.executable}" "$@"')
    _script(tmp_path / ".venv/bin/authserver", f'exec "{sys.executable}" -m authserver "$@"')
    _script(tmp_path / "bin/python3", f'exec "{sys.executable}" "$@"')
    if shutil.which("curl") is None:
        _script(tmp_path / "bin/curl", f'exec "{sys.executable}" "{ROOT}/tests/cli/curl_stand_in.py" "$@"')
    port, api = free_port(), free_port()
    (tmp_path / "port").write_text(str(port))
    (tmp_path / "api").write_text(str(api))
    ports = ["--port", str(port), "--with-resource-server", "--resource-server-port", str(api)]
    server = subprocess.Popen(
        [sys.executable, "-m", "authserver", "dev", *ports],
        cwd=tmp_path, env=_environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for each in (port, api):
            _wait_for(each, server)
        yield tmp_path
    finally:
        server.terminate()
        assert server.wait(20) == 0


def test_every_command_of_the_readme_works_as_printed(checkout: Path) -> None:
    assert len(STEPS) >= 9
    answers = _run(checkout, [commands for commands, _ in STEPS])
    for (commands, promised), answer in zip(STEPS, answers, strict=True):
        for word in _promises(promised):
            assert word in answer, f"{commands}\npromises {word}\nand answered\n{answer}"


def test_the_example_of_the_readme_is_the_one_that_runs() -> None:
    (printed,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert (ROOT / "authserver/cli/example_resource_server.py").read_text().endswith(printed)


def _promises(printed: str) -> list[str]:
    """What holds for each run: names and words of JSON, and lines without ids, times and tokens in them."""
    named = re.findall(r'"[a-z_]+":(?:"[a-z_ ]+"|true|false)?', printed)
    lines = [line for line in printed.splitlines() if not re.search(r'[0-9"]|\.\.\.', line)]
    counted = re.findall(r"^\d{3}$|^ended .*$|It is number .*$", printed, re.MULTILINE)
    return [*named, *lines, *counted]


def _run(checkout: Path, steps: list[str]) -> list[str]:
    """Their answers. One shell, so that a later step finds the variables of an earlier one."""
    mark = "@@ next step @@"
    port, api = ((checkout / name).read_text() for name in ("port", "api"))
    script = f"\necho; echo '{mark}'\n".join(steps).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    # Where the API is called; tokens are meant for it by its usual name, whatever port it has.
    script = script.replace("API=http://127.0.0.1:9000", f"API=http://127.0.0.1:{api}")
    ran = subprocess.run(
        ["sh", "-c", script], cwd=checkout, env=_environment(checkout), check=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100,
    )  # fmt: skip
    return ran.stdout.split(mark)


def _environment(checkout: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTHSERVER_")}
    issuer = {"AUTHSERVER_ISSUER": f"http://127.0.0.1:{(checkout / 'port').read_text()}"}
    path = f"{checkout}/bin:{os.environ['PATH']}"
    return {**inherited, **issuer, "PATH": path, "PYTHONPATH": str(ROOT)}


def _script(file: Path, line: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(0o755)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "the server did not start"
        time.sleep(0.1)
    raise AssertionError("the server did not answer")
