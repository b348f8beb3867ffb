from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.site import Site, make_keys_dir, open_site


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys_dir(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def site(database_url: str, keys_dir: Path) -> AsyncIterator[Site]:
    """One instance, on each database in turn."""
    async with open_site(database_url, keys_dir) as opened:
        yield opened


@pytest.fixture
async def admin(site: Site) -> dict[str, str]:
    """Headers of an administrator who may do everything."""
    return await site.admin()
