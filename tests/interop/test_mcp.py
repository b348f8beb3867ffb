"""What the Model Context Protocol asks of an authorization server, by its own suite."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import httpx

from tests.interop.conversation import NODE
from tests.interop.provider import Provider
from tests.interop.surfer import Surfer
from tests.server_process import die_with_parent
from tests.servers import free_port

SUITE = Path("node_modules") / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
SCENARIOS = 2
LINK = re.compile(r"https://\S+/authorize\?\S+")


def test_the_conformance_suite_passes(modules: Path, provider: Provider, surfer: Surfer, tmp_path: Path) -> None:
    port = free_port()
    client = provider.client("mcp", "--redirect-uri", f"http://127.0.0.1:{port}/callback")
    command = [NODE, modules / SUITE, "authorization", "--url", provider.issuer, "--client-id", client]
    with subprocess.Popen(
        [*command, "-p", str(port), "-o", tmp_path],
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(provider.authority)},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if LINK.match(line):
                httpx.get(surfer.follow(line.strip()), trust_env=False)
        assert process.wait(30) == 0
    checks = [check for file in tmp_path.glob("*/checks.json") for check in json.loads(file.read_text())]
    assert [check["status"] for check in checks] == ["SUCCESS"] * SCENARIOS, checks
