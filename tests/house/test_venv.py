"""scripts/venv.sh where Python has no venv, as on a fresh Debian."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With a script that makes an environment, and a Python to make it with."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    shutil.copy(ROOT / "scripts/venv.sh", scripts)
    (scripts / "go").write_text('set -eu\n. "$(dirname "$0")/venv.sh"\nensure_venv empty.lock\n')
    (tmp_path / "empty.lock").write_text("")
    return tmp_path


def go(checkout: Path, python: str) -> subprocess.CompletedProcess[str]:
    (checkout / "python").write_text(f"#!/bin/sh\n{python}\n")
    (checkout / "python").chmod(0o755)
    command = ["env", f"PYTHON={checkout}/python", "sh", "scripts/go"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=False)


def test_half_an_environment_is_removed_and_the_missing_package_named(checkout: Path) -> None:
    half = 'mkdir -p .venv/bin; printf "#!/bin/sh\\n" > .venv/bin/python; chmod +x .venv/bin/python; exit 1'
    done = go(checkout, f'case "$*" in "-m venv .venv") {half};; *) exec "{sys.executable}" "$@";; esac')
    assert done.returncode == 1
    assert f"python{sys.version_info.major}.{sys.version_info.minor}-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_too_old_is_told(checkout: Path) -> None:
    done = go(checkout, "exit 1")
    assert done.returncode == 1
    assert "3.11" in done.stderr
    assert not (checkout / ".venv").exists()


def test_the_environment_is_made_once(checkout: Path) -> None:
    assert go(checkout, f'exec "{sys.executable}" "$@"').returncode == 0
    assert (checkout / ".venv/bin/authserver").exists()
    again = go(checkout, "exit 1")
    assert (again.returncode, again.stderr) == (0, "")
