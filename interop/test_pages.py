"""What interop/pages.py does, in its order."""

from __future__ import annotations

from pathlib import Path

import pytest

from interop.chromium import chromium
from interop.pages import Run, running, steps


def test_our_own_pages_in_a_browser(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    pictures: Path | None = request.config.getoption("--pictures")
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
    with running(tmp_path) as server, chromium(tmp_path / "profile") as browser:
        steps(Run(server, browser, pictures))
