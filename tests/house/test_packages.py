"""What is built to be installed has everything in it that runs: not modules alone."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import authserver

PACKAGE = Path(authserver.__file__).parent
ROOT = PACKAGE.parent
PAGES = PACKAGE / "web" / "pages"


def needed() -> set[str]:
    """Templates and static files, as they are named in a package."""
    files = {path for folder in ("templates", "static") for path in (PAGES / folder).iterdir()}
    return {str(path.relative_to(ROOT)) for path in files}


def test_there_are_pages_at_all() -> None:
    assert {"authserver/web/pages/templates/login.html", "authserver/web/pages/static/style.css"} <= needed()


def wheel(directory: Path) -> set[str]:
    built = next(WheelBuilder(str(ROOT)).build(directory=str(directory), versions=["standard"]))
    return set(zipfile.ZipFile(built).namelist())


def sdist(directory: Path) -> set[str]:
    built = next(SdistBuilder(str(ROOT)).build(directory=str(directory), versions=["standard"]))
    with tarfile.open(built) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.mark.parametrize("build", [wheel, sdist])
def test_pages_and_their_style_are_in_it(build: object, tmp_path: Path) -> None:
    names = build(tmp_path)  # type: ignore[operator]  # a parameter of pytest
    assert needed() - names == set()


def test_migrations_are_in_the_wheel(tmp_path: Path) -> None:
    revisions = {path.name for path in (ROOT / "migrations/versions").glob("0*.py")}
    assert {f"authserver/_migrations/versions/{name}" for name in revisions} <= wheel(tmp_path)
