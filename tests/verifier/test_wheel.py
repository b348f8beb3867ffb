"""`authserver-verifier`, the wheel: built offline, installed into an empty environment, at work there."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

import pytest

from authserver import __version__
from tests.processes import ROOT

NEEDED = ("PyJWT", "cryptography", "cffi", "pycparser")
"""PyJWT and cryptography, and what cryptography itself needs."""

AT_WORK = """
import importlib, json, pkgutil, sys
import authserver_verifier
from authserver_verifier import Revoked
from authserver_verifier.testing import FakeIssuer

for module in pkgutil.iter_modules(authserver_verifier.__path__, "authserver_verifier."):
    importlib.import_module(module.name)

told = {}
with FakeIssuer() as issuer:
    verifier, token = issuer.verifier(), issuer.token("ada", "read")
    told["subject"] = verifier.verify(token, scope="read").subject
    issuer.revoke_session(token)
    try:
        verifier.verify(token)
    except Revoked as refusal:
        told["refused"] = refusal.code
told["imported"] = sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names))
print(json.dumps(told))
"""


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("wheel")
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--no-cache-dir")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", *offline, "--wheel-dir", to, ROOT / "packages/verifier")
    (made,) = to.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an environment with the wheel, and of all other packages only those that it needs."""
    place = tmp_path_factory.mktemp("an empty environment")
    run(sys.executable, "-m", "venv", "--without-pip", place)
    (packages,) = place.glob("lib/python3*/site-packages")
    lend(NEEDED, packages)
    made = place / "bin/python"
    run(sys.executable, "-m", "pip", "--python", made, "install", "--quiet", "--no-deps", "--no-index", wheel)
    return made


def lend(names: Sequence[str], packages: Path) -> None:
    for name in names:
        found = distribution(name)
        for part in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            (packages / part).symlink_to(Path(str(found.locate_file(part))))


def test_it_verifies_and_refuses_where_nothing_else_is_installed(python: Path) -> None:
    told = json.loads(run(python, "-I", "-W", "error", "-c", AT_WORK))
    assert (told["subject"], told["refused"]) == ("ada", "revoked_sid")
    # pycparser and cffi are of cryptography; some systems' Python brings a sitecustomize of its own.
    own = {"authserver_verifier", "jwt", "cryptography", "_cffi_backend", "__main__", "sitecustomize"}
    strangers = set(told["imported"]) - own
    assert {name for name in strangers if not name.startswith("_")} == set()


def test_the_rest_of_the_project_is_not_there(python: Path) -> None:
    assert run(python, "-I", "-c", "import importlib.util as u; print(u.find_spec('authserver'))") == "None\n"


def test_it_is_the_servers_package_file_for_file(wheel: Path) -> None:
    source = ROOT / "authserver/verifier"
    with zipfile.ZipFile(wheel) as archive:
        shipped = {
            name.partition("/")[2]: archive.read(name)
            for name in archive.namelist()
            if name.startswith("authserver_verifier/") and not name.endswith("LICENSE")
        }
    files = {str(path.relative_to(source)): path.read_bytes() for path in source.rglob("*") if path.is_file()}
    assert shipped == {name: text for name, text in files.items() if "__pycache__" not in name}
    assert "py.typed" in shipped


def test_its_metadata_are_the_servers(wheel: Path) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        lines = archive.read(name).decode().splitlines()
    assert "Name: authserver-verifier" in lines
    assert f"Version: {__version__}" in lines
    assert f"Requires-Python: {declared['requires-python']}" in lines
    needed = {line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")}
    assert {entry.split(">")[0] for entry in needed} == {"pyjwt", "cryptography"}
    assert needed <= set(declared["dependencies"])
