"""What a trial stands on: a running server, the database behind it, and another node of the same issuer if asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.measure import Effort
from benchmarks.prepare import node
from benchmarks.process import ServerProcess
from benchmarks.site import Site
from benchmarks.trials.sizes import Sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    scratch: Path
    backend: str
    settings: Mapping[str, str]
    """Environment of the server, complete."""
    server: ServerProcess
    site: Site
    effort: Effort
    sizes: Sizes

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.site.port}"

    @property
    def several_nodes(self) -> bool:
        """SQLite is one machine's; the others are measured with another node too."""
        return self.backend.startswith("postgresql")

    @contextmanager
    def another_node(self) -> Iterator[ServerProcess]:
        """A second server of the same issuer; the feed's address is still that of the first."""
        with node(self.scratch, self.settings) as server:
            yield server

    @contextmanager
    def administrator(self, port: int | None = None) -> Iterator[httpx.Client]:
        """A client for the admin API of the first node, or of the one on `port`."""
        headers = {"Authorization": f"Bearer {self.site.admin_token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port or self.site.port}", headers=headers, timeout=30) as http:
            yield http
