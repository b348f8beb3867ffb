from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.chromium import Chromium, chromium
from tests.interop.conftest import modules, provider
from tests.interop.provider import Provider

__all__ = ["browser", "modules", "provider"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, help="a directory for pictures of every page of ours")


@pytest.fixture
def browser(provider: Provider, tmp_path: Path) -> Iterator[Chromium]:
    """Without a past; it takes the provider's certificate."""
    with chromium(tmp_path / "profile", trusted=provider.directory / "cert.pem") as opened:
        yield opened
