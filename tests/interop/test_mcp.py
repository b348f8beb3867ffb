"""What the Model Context Protocol asks of an authorization server: its own suite, a scanner, and its SDK's client."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tests.interop.conversation import NODE
from tests.interop.mcp_service import SCOPE, notes
from tests.interop.provider import Provider
from tests.interop.surfer import Surfer
from tests.server_process import die_with_parent
from tests.servers import free_port

SUITE = Path("node_modules") / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
LINK = re.compile(r"\s*(https://\S+/authorize\?\S+)")
SETTINGS = {"client_documents": "on"}
BACK = "http://127.0.0.1:4711/callback"
ELSEWHERE = "https://elsewhere.example/mcp"


@pytest.fixture(scope="module")
def resource(provider: Provider) -> Iterator[str]:
    with notes(provider) as served:
        yield served


def surf_along(command: list[str | Path], environment: dict[str, str], surfer: Surfer) -> int:
    """Run a program that shows links to open, and open them; its exit status."""
    with subprocess.Popen(
        command,
        env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if link := LINK.match(line):
                httpx.get(surfer.follow(link[1]), trust_env=False)
        return process.wait(60)


def test_the_conformance_suite_passes(modules: Path, provider: Provider, surfer: Surfer, tmp_path: Path) -> None:
    port = free_port()
    client = provider.client("mcp", "--redirect-uri", f"http://127.0.0.1:{port}/callback")
    command = [NODE, modules / SUITE, "authorization", "--url", provider.issuer, "--client-id", client]
    trust = {"NODE_EXTRA_CA_CERTS": str(provider.authority)}
    assert surf_along([*command, "-p", str(port), "-o", tmp_path], trust, surfer) == 0
    checks = [check for file in tmp_path.glob("*/checks.json") for check in json.loads(file.read_text())]
    assert {check["id"]: check["status"] for check in checks} == {
        "authorization-server-metadata": "SUCCESS",
        "authorization-server-metadata-cimd": "SUCCESS",
        "authorization-code-grant": "SUCCESS",
    }


def test_the_scanner_gives_the_best_grade(provider: Provider, surfer: Surfer, resource: str, tmp_path: Path) -> None:
    port = free_port()
    back, resources = f"http://127.0.0.1:{port}/callback", ("--resource", resource, "--resource", ELSEWHERE)
    client = provider.client("scanner", "--redirect-uri", back, "--scope", SCOPE, *resources)
    scanner = Path(sys.executable).parent / "mcp-authlab"
    environment = {"SSL_CERT_FILE": str(provider.authority), "HOME": str(tmp_path), "BROWSER": "true"}
    log_in = ["--client-id", client, "--redirect-port", str(port), "--foreign-resource", ELSEWHERE, "--thorough"]
    assert surf_along([scanner, "login", resource, *log_in], environment, surfer) == 0
    done = subprocess.run(
        [scanner, "scan", resource, "--fail-under", "A", "--format", "json"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    results = {check["id"]: check["status"].lower() for check in json.loads(done.stdout)["results"]}
    assert {name for name, status in results.items() if status != "pass"} <= {"CHAL-03"}, results
    assert len(results) == 33


class Memory:
    """Where the SDK keeps what it has; a client id that was given out by hand."""

    def __init__(self, client_id: str) -> None:
        self.tokens: OAuthToken | None = None
        self.client = OAuthClientInformationFull(
            client_id=client_id, redirect_uris=[BACK], token_endpoint_auth_method="none"
        )

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


async def test_the_sdk_calls_a_tool_after_its_user_logged_in(provider: Provider, surfer: Surfer, resource: str) -> None:
    client_id = provider.client("sdk", "--redirect-uri", BACK, "--scope", SCOPE, "--resource", resource)
    back: list[str] = []

    async def open_link(link: str) -> None:
        back.append(await asyncio.to_thread(surfer.follow, link))

    async def come_back() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**dict(parse_qsl(urlsplit(back[-1]).query)))

    memory = Memory(client_id)
    about = OAuthClientMetadata(redirect_uris=[BACK], client_name="SDK", token_endpoint_auth_method="none")
    auth = OAuthClientProvider(resource, about, memory, open_link, come_back)
    async with httpx2.AsyncClient(auth=auth, verify=provider.trust) as http:
        async with Client(streamable_http_client(resource, http_client=http)) as client:
            called = await client.call_tool("list_notes", {})
        assert not called.is_error
        assert memory.tokens is not None
        assert memory.tokens.refresh_token
    provider.run("revoke", "user", "ada", "--reason", "test", "--yes")
    refused = await asyncio.to_thread(_call, resource, provider, memory.tokens.access_token)
    assert refused == 401
    assert len(back) == 1


def _call(resource: str, provider: Provider, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.post(resource, headers=headers, json={}, verify=provider.trust, trust_env=False).status_code
