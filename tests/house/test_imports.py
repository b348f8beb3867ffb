"""The import contracts hold, and each of them reports what it is there to report."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import authserver

ROOT = Path(authserver.__file__).parents[1]

VIOLATIONS = {
    "tokens imports upward": ("tokens/issuer.py", "import authserver.oauth.errors", "Imports point down only"),
    "tokens and revocation know each other": (
        "tokens/issuer.py",
        "import authserver.revocation.revoker",
        "Imports point down only",
    ),
    "a new top-level module without a layer": ("stray.py", "", "Imports point down only"),
    "a web module picks the database": (
        "web/token.py",
        "import authserver.storage.sql",
        "Only wiring picks an implementation",
    ),
    "the app picks a cache": ("app.py", "import authserver.storage.local", "Only wiring picks an implementation"),
    "the command line reaches into the web": (
        "cli/keys.py",
        "import authserver.web.admin.render",
        "The command line does not reach into the web",
    ),
    "administration speaks HTTP": (
        "administration/keys.py",
        "import starlette.requests",
        "Only web and app speak Starlette",
    ),
    "oauth speaks HTTP": ("oauth/scopes.py", "import starlette.requests", "Only web and app speak Starlette"),
    "accounts speak SQL": ("accounts/login.py", "import sqlalchemy", "Only storage.sql speaks SQLAlchemy"),
    "oauth makes tokens by itself": ("oauth/scopes.py", "import jwt", "Only tokens and verifier speak PyJWT"),
    "one grant uses another": (
        "oauth/grants/refresh_token.py",
        "import authserver.oauth.grants.client_credentials",
        "Grants do not know each other",
    ),
    "one endpoint uses another": ("web/token.py", "import authserver.web.revoke", "Endpoints do not know each other"),
}


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(directory)}
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "authserver", tmp_path / "authserver", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_each_violation_is_reported(copy: Path, violation: str) -> None:
    file, line, contract = VIOLATIONS[violation]
    path = copy / "authserver" / file
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    done = lint(copy)
    assert done.returncode != 0
    assert f"{contract} BROKEN" in done.stdout
