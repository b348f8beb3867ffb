"""The Python of docs/guide/validate.md runs as it is printed."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from authserver.verifier import Verifier
from authserver.verifier.asgi import BearerAuth, require
from authserver.verifier.errors import Refusal, Revoked
from authserver.verifier.metrics import _CONTENT, feed_counters
from authserver.verifier.notes import NAMES
from authserver.verifier.testing import FakeIssuer
from tests.processes import ROOT, environment

PAGE = (ROOT / "docs/guide/validate.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
AUDIENCE = "http://127.0.0.1:9000"


@pytest.fixture(scope="module")
def issuer() -> Iterator[FakeIssuer]:
    with FakeIssuer(audience=AUDIENCE, serve=True) as issuer:
        yield issuer


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def block(issuer: FakeIssuer, word: str) -> str:
    (found,) = (block for block in BLOCKS if word in block)
    client = issuer.credentials["client_id"]
    return found.replace("http://127.0.0.1:8000", issuer.url).replace("demo-service", client)


def run(issuer: FakeIssuer, word: str) -> dict[str, object]:
    known = {"bearer": issuer.token("ada", "read"), "secret": issuer.credentials["client_secret"]}
    exec(block(issuer, word), known)
    return dict(known)


async def test_the_protected_route(issuer: FakeIssuer) -> None:
    made = run(issuer, "Starlette(")
    verifier, app = made["verifier"], made["app"]
    assert isinstance(verifier, Verifier)
    verifier.wait_ready(5)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # what the guide has made
    async with httpx.AsyncClient(transport=transport, base_url=AUDIENCE) as client:
        assert (await client.get("/")).status_code == 401
        assert (await client.get("/", headers=issuer.bearer("ada", "read"))).json() == {"hello": "ada"}
    verifier.close()


def test_by_hand(issuer: FakeIssuer, capsys: pytest.CaptureFixture[str]) -> None:
    run(issuer, "with Verifier(")
    assert capsys.readouterr().out == "ada app-1 ['read']\n"


def test_policies_and_watching(issuer: FakeIssuer, capsys: pytest.CaptureFixture[str]) -> None:
    made = run(issuer, "payment =")
    verifier = made["verifier"]
    assert isinstance(verifier, Verifier)
    exec(block(issuer, "verifier.status()"), made)
    assert made["ready"] is True
    assert "authserver_verifier_age_seconds{" in capsys.readouterr().out
    verifier.close()


async def test_a_long_connection_ends_when_its_token_is_revoked(issuer: FakeIssuer) -> None:
    made: dict[str, Any] = {}
    exec(block(issuer, "still_good"), made)
    token = issuer.token("ada")
    watching = asyncio.create_task(made["still_good"](issuer.verifier(), token, 0.01))
    await asyncio.sleep(0.1)
    assert not watching.done()
    await asyncio.to_thread(issuer.revoke_session, token)
    with pytest.raises(Revoked):
        await asyncio.wait_for(watching, 5)


async def test_a_stronger_log_in_and_metadata(issuer: FakeIssuer) -> None:
    known: dict[str, Any] = {"require": require, "JSONResponse": JSONResponse}
    exec(block(issuer, "acr="), known)
    app, verifier = Starlette(routes=[Route("/pay", known["pay"])]), issuer.verifier()
    exec(block(issuer, "ProtectedResource("), known | {"app": app, "BearerAuth": BearerAuth, "verifier": verifier})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as client:
        told = (await client.get("/.well-known/oauth-protected-resource")).json()
        assert (told["resource"], told["authorization_servers"]) == (AUDIENCE, [issuer.url])
        weak = await client.get("/pay", headers=issuer.bearer("ada", "pay"))
        assert "insufficient_user_authentication" in weak.headers["www-authenticate"]
        strong = {"acr": "urn:authserver:acr:pwd", "auth_time": int(issuer.now())}
        answer = await client.get("/pay", headers=issuer.bearer("ada", "pay", **strong))
        assert answer.json() == {"paid by": "ada"}


def test_every_metric_is_named() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", section("Watching it"), re.MULTILINE)
    named = {name.partition("{")[0] for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert set(_CONTENT) == named
    assert set(feed_counters(dict.fromkeys(NAMES, 0))) <= named


def test_the_test_is_one(issuer: FakeIssuer, tmp_path: Path) -> None:
    (tmp_path / "test_of_the_guide.py").write_text(block(issuer, "pytest.fixture"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)],
        cwd=tmp_path, env=environment({}), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout


def test_without_the_library(issuer: FakeIssuer, capsys: pytest.CaptureFixture[str]) -> None:
    run(issuer, "claims_of")
    assert capsys.readouterr().out == "ada\n"


def test_each_block_is_run_here() -> None:
    assert len(BLOCKS) == 9


def options(table: str) -> set[str]:
    return {
        name for cell in re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+)", table, re.MULTILINE) for name in cell_names(cell)
    }


def cell_names(cell: str) -> list[str]:
    return re.findall(r"`([a-z_]+)`", cell)


def test_every_option_is_in_its_table() -> None:
    of_verifier, _, rest = section("All options").partition("`BearerAuth(app, verifier, ...)`:")
    of_middleware = rest.partition("Under ASGI")[0]
    assert options(of_verifier) == set(Verifier.__init__.__annotations__) - {"return"}
    assert options(of_middleware) == set(BearerAuth.__init__.__annotations__) - {"app", "verifier", "return"}


def every(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    for each in kind.__subclasses__():
        yield each
        yield from every(each)


def test_every_code_is_named() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE.partition("Which rule it was")[2].partition("## How old")[0]))
    codes = {each.code for each in every(Refusal)} - {"invalid_token", "undecided", "revoked"}
    codes |= {Revoked(kind).code for kind in ("kid", "jti", "sid", "sub", "cli", "iss")}
    assert {code for code in codes if code not in named} == set()
