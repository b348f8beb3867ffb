"""scripts/interop where programs are missing: root installs them, others are told; nothing is left out silently."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISSING, HERE = "nginx apache2-bin", "installed"


def command(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Its Python knows of what is missing until the file `installed` is there, and says so when it is to run tests."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "requirements-test.lock").touch()
    names = f"[ -e {HERE} ] || echo {MISSING}"
    command(tmp_path / ".venv/bin/python", f'case "$2" in interop.programs) {names} ;; *) echo "tests: $*" ;; esac')
    (tmp_path / ".venv/.made-from-requirements-test.lock").touch()
    return tmp_path


def run(checkout: Path, *arguments: str, user: int) -> subprocess.CompletedProcess[str]:
    command(checkout / "bin/id", f"echo {user}")
    command(checkout / "bin/apt-get", f'echo "apt-get $*" >> asked; [ "$1" = update ] || touch {HERE}')
    environment = {**os.environ, "PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    script = ["sh", checkout / "scripts/interop", *arguments]
    return subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_an_ordinary_user_is_told_what_is_missing(checkout: Path) -> None:
    done = run(checkout, user=1000)
    assert done.returncode == 1
    assert done.stderr == f"scripts/interop needs these Debian packages: {MISSING}\n"
    assert "tests" not in done.stdout
    assert not (checkout / "asked").exists()


def test_root_installs_what_is_missing_and_nothing_more(checkout: Path) -> None:
    done = run(checkout, "-k", "nginx", user=0)
    assert done.stdout == "tests: -m pytest -n 2 --dist loadfile interop -k nginx\n"
    asked = (checkout / "asked").read_text().splitlines()
    assert asked == ["apt-get update -qq", f"apt-get install -y -qq --no-install-recommends {MISSING}"]


def test_nothing_is_installed_where_all_is_there(checkout: Path) -> None:
    (checkout / HERE).touch()
    assert run(checkout, user=0).stdout == "tests: -m pytest -n 2 --dist loadfile interop\n"
    assert not (checkout / "asked").exists()
