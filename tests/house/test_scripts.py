"""scripts/run in a bare checkout. The registry is not asked: the packages of this virtual environment are lent to the
new one, so that pip finds what the lock names, and everything else happens as it would."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.processes import ROOT, environment
from tests.server_process import until
from tests.servers import free_port

PARTS = ("authserver", "migrations", "scripts", "pyproject.toml", "requirements.lock")
LENDING = f"""#!/bin/sh
case "$*" in "-m venv "*) lend=yes; set -- "$@" --without-pip ;; esac    # pip is lent too: making one takes seconds
"{sys.executable}" "$@" || exit
for packages in ${{lend:+.venv/lib/python3*/site-packages}}; do
    echo "{sysconfig.get_path("purelib")}" > "$packages/lent.pth"
done
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a clone has in it, at a place with a space in its name."""
    made = tmp_path / "a checkout"
    made.mkdir()
    for part in PARTS:
        copy: Callable[..., object] = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, made / part)
    return made


@pytest.fixture
def lending(tmp_path: Path) -> Path:
    """A python3 whose virtual environments come with packages."""
    return program(tmp_path / "python3", LENDING)


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def shell(checkout: Path, python: Path) -> dict[str, str]:
    kept = {name: value for name, value in environment({}).items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "PYTHON": str(python), "PIP_NO_INDEX": "1"}


@contextmanager
def running(checkout: Path, python: Path, port: int) -> Iterator[Path]:
    """`scripts/run`, called from another directory, until it answers; the file with what it says."""
    output = checkout / "output"
    with output.open("wb") as out:
        server = subprocess.Popen(
            [checkout / "scripts/run", "--port", str(port)],
            cwd="/", env=shell(checkout, python), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: server.poll() is not None or answers(port), seconds=90)
        assert server.poll() is None, output.read_text()
        yield output
        server.terminate()
        assert server.wait(20) == 0, output.read_text()
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_a_bare_checkout_runs_and_is_made_ready_once(checkout: Path, lending: Path) -> None:
    port = free_port()
    with running(checkout, lending, port) as output:
        assert "Installing requirements.lock" in output.read_text()
        made = json.loads((checkout / "var/demo.json").read_text())
        login = {**made["user"], "client_id": made["public_client"]["client_id"]}
        assert httpx.post(f"http://127.0.0.1:{port}/login", json=login).status_code == 200

    command = [checkout / ".venv/bin/authserver", "users", "list"]
    done = subprocess.run(
        command, cwd=checkout, env=shell(checkout, lending), capture_output=True, text=True, check=True
    )
    assert "demo" in done.stdout

    assert ensure(checkout, lending) == (0, ""), "nothing is installed again"
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# another day\n")
    assert ensure(checkout, lending) == (0, "Installing requirements.lock into .venv ...\n")


def ensure(checkout: Path, python: Path) -> tuple[int, str]:
    """What every script does first; its status, and what it says."""
    done = subprocess.run(
        ["sh", "-c", '. scripts/venv.sh; ensure_venv requirements.lock', "scripts/any"],
        cwd=checkout, env=shell(checkout, python), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_an_old_python_is_told_so(checkout: Path, tmp_path: Path) -> None:
    old = program(tmp_path / "python3.9", "#!/bin/sh\nexit 1\n")
    status, told = ensure(checkout, old)
    assert status == 1
    assert "Python 3.11" in told
    assert not (checkout / ".venv").exists()


def test_what_the_lock_does_not_vouch_for_is_not_installed(checkout: Path, lending: Path) -> None:
    (checkout / "requirements.lock").write_text("never-heard-of-it==1.0 --hash=sha256:" + "0" * 64 + "\n")
    status, _ = ensure(checkout, lending)
    assert status == 1
    assert ensure(checkout, lending)[0] == 1, "and the next start tries again"
