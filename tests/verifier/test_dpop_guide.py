"""The Python of docs/guide/dpop.md runs as it is printed."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from authserver.verifier import DpopLimits, Verifier
from authserver.verifier.asgi import BearerAuth
from authserver.verifier.certificate import certificate_thumbprint
from authserver.verifier.dpop_key import ALGORITHMS
from authserver.verifier.testing import FakeIssuer
from tests.loopback_site import LoopbackSite
from tests.processes import ROOT
from tests.site import make_keys_dir

PAGE = (ROOT / "docs/guide/dpop.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
AUDIENCE = "http://127.0.0.1:9000"


def block(word: str) -> str:
    (found,) = (block for block in BLOCKS if word in block)
    return found


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with FakeIssuer(audience=AUDIENCE, serve=True) as issuer:
        yield issuer


def test_getting_a_token(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = LoopbackSite(sqlite_url, make_keys_dir(tmp_path / "keys"))
    try:
        client = site.do(site.site.client(scopes=("read",)))
        exec(block("ProofKey()"), {"issuer": site.url, "client_id": client.id, "client_secret": client.secret})
    finally:
        site.close()
    assert capsys.readouterr().out == "DPoP\n"


def test_limits_and_proofs_by_hand(issuer: FakeIssuer, capsys: pytest.CaptureFixture[str]) -> None:
    key = issuer.proof_key()
    known: dict[str, Any] = {"secret": bytes(32)}
    exec(block("DpopLimits(").replace("http://127.0.0.1:8000", issuer.url), known)
    verifier = known["verifier"]
    assert isinstance(verifier, Verifier)
    try:
        assert verifier.wait_ready(5)
        token = issuer.token(bound_to=key)
        proof = key.proof("GET", f"{AUDIENCE}/orders", token, nonce=verifier.dpop_nonce())
        exec(block("Shown("), known | {"access_token": token, "dpop_headers": [proof]})
    finally:
        verifier.close()
    assert capsys.readouterr().out == f"{key.jkt}\n"


async def test_certificates(issuer: FakeIssuer) -> None:
    async def hello(request: Request) -> JSONResponse:
        return JSONResponse({"hello": request.auth.subject})

    app = Starlette(routes=[Route("/", hello)])
    exec(block("certificate_in"), {"app": app, "verifier": issuer.verifier(), "BearerAuth": BearerAuth})
    bearer = issuer.bearer("ada", cnf={"x5t#S256": certificate_thumbprint(b"mine")})
    pem = ssl.DER_cert_to_PEM_cert(b"mine").replace("\n", " ")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as client:
        assert (await client.get("/", headers={**bearer, "Client-Cert": pem})).json() == {"hello": "ada"}
        assert (await client.get("/", headers=bearer)).status_code == 401


def test_each_block_is_run_here() -> None:
    assert len(BLOCKS) == 4


def test_what_it_says_of_limits_and_algorithms_is_so() -> None:
    table = PAGE.partition("| `DpopLimits` |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", table)) == {"nonce_key", "max_age", "ahead", "remembered"}
    assert set(DpopLimits.__dataclass_fields__) == {"nonce_key", "max_age", "ahead", "remembered"}
    limits = DpopLimits()
    assert f"`{limits.max_age:g}`, `{limits.ahead:g}`" in table
    assert f"`{limits.remembered}`" in table
    assert all(f"`{alg}`" in PAGE for alg in ALGORITHMS)
