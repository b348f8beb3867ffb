from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from authserver import wiring
from authserver.settings import Settings
from authserver.tokens.masterkey import create_master_key
from authserver.web.routes import routes
from authserver.web.routing import Rule


@pytest.fixture
async def rules(tmp_path: Path) -> AsyncIterator[list[Rule]]:
    """The URL table of a real server with everything on."""
    settings = Settings(database_url=f"sqlite+aiosqlite:///{tmp_path}/house.db", keys_dir=tmp_path, registration="open")
    create_master_key(settings.master_key_path)
    await wiring.migrate(settings)
    services = await wiring.build(settings)
    yield routes(services)
    await services.close()
