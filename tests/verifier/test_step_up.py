"""Routes that need a stronger or more recent log-in (RFC 9470), under ASGI and WSGI."""

from __future__ import annotations

from typing import Annotated, Any

import flask
import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from authserver.verifier import InsufficientAuthentication, VerifiedToken, Verifier
from authserver.verifier.asgi import BearerAuth, require
from authserver.verifier.testing import AUDIENCE, FakeIssuer
from authserver.verifier.wsgi import BearerAuth as WsgiAuth
from authserver.verifier.wsgi import require as wsgi_require

MFA, PASSWORD = "urn:example:mfa", "urn:example:pwd"


@require(scope="pay", acr=[MFA, "phr"], max_age=300)
async def pay(request: Request) -> JSONResponse:
    return JSONResponse({"paid": True})


@require(max_age=0)
async def now_only(request: Request) -> JSONResponse:
    return JSONResponse({})


async def asked(verifier: Verifier, path: str, headers: dict[str, str]) -> httpx.Response:
    app = Starlette(routes=[Route("/pay", pay), Route("/now", now_only)])
    app.add_middleware(BearerAuth, verifier=verifier)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as client:
        return await client.get(path, headers=headers)


def ago(issuer: FakeIssuer, seconds: int) -> int:
    return int(issuer.now()) - seconds


async def test_a_strong_and_recent_log_in_is_let_in(shared: FakeIssuer, verifier: Verifier) -> None:
    for acr in (MFA, "phr"):
        headers = shared.bearer("ada", "pay", acr=acr, auth_time=ago(shared, 290))
        assert (await asked(verifier, "/pay", headers)).status_code == 200


@pytest.mark.parametrize(
    "claims", [{"acr": PASSWORD}, {"acr": None}, {"acr": [MFA]}, {"acr": f"{MFA} phr"}, {"late": 400}]
)
async def test_any_other_is_asked_for_another_log_in(
    shared: FakeIssuer, verifier: Verifier, claims: dict[str, Any]
) -> None:
    late = claims.pop("late", 10)
    headers = shared.bearer("ada", "pay", **{"acr": MFA, "auth_time": ago(shared, late), **claims})
    answer = await asked(verifier, "/pay", headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "insufficient_user_authentication")
    assert answer.headers["www-authenticate"] == (
        'Bearer error="insufficient_user_authentication", '
        'error_description="A stronger or more recent log-in is needed here.", '
        f'acr_values="{MFA} phr", max_age="300"'
    )


@pytest.mark.parametrize("auth_time", [None, "1", -1, 1.5])
async def test_a_log_in_of_unknown_time_is_not_recent(shared: FakeIssuer, verifier: Verifier, auth_time: Any) -> None:
    headers = shared.bearer("ada", "pay", acr=MFA, auth_time=auth_time)
    assert (await asked(verifier, "/pay", headers)).status_code == 401


async def test_no_time_at_all_may_have_passed(shared: FakeIssuer, verifier: Verifier) -> None:
    """`max_age=0` is a demand, not the absence of one; clocks may differ by some seconds."""
    assert (await asked(verifier, "/now", shared.bearer(auth_time=ago(shared, 0)))).status_code == 200
    refused = await asked(verifier, "/now", shared.bearer(auth_time=ago(shared, 10)))
    assert 'max_age="0"' in refused.headers["www-authenticate"]


async def test_a_missing_scope_is_told_first(shared: FakeIssuer, verifier: Verifier) -> None:
    """A new log-in would not bring it."""
    answer = await asked(verifier, "/pay", shared.bearer("ada", "read", acr=PASSWORD))
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")


async def test_it_is_a_dependency_of_fastapi(shared: FakeIssuer, verifier: Verifier) -> None:
    app = FastAPI()

    @app.get("/pay")
    async def paid(token: Annotated[VerifiedToken, Depends(require(acr=MFA))]) -> dict[str, str]:
        return {"by": token.subject}

    app.add_middleware(BearerAuth, verifier=verifier, protect="marked")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as client:
        assert (await client.get("/pay", headers=shared.bearer("ada", acr=MFA))).json() == {"by": "ada"}
        assert (await client.get("/pay", headers=shared.bearer("ada"))).status_code == 401


def test_under_wsgi_it_is_the_same(shared: FakeIssuer, verifier: Verifier) -> None:
    app = flask.Flask(__name__)

    @app.get("/pay")
    @wsgi_require(acr=f"{MFA} phr", max_age=60)
    def paid() -> dict[str, bool]:
        return {"paid": True}

    app.wsgi_app = WsgiAuth(app.wsgi_app, verifier)  # type: ignore[method-assign]  # as the guide says
    client = app.test_client()
    good = shared.bearer("ada", acr="phr", auth_time=ago(shared, 5))
    assert client.get("/pay", headers=good).json == {"paid": True}
    refused = client.get("/pay", headers=shared.bearer("ada", acr="phr", auth_time=ago(shared, 90)))
    assert refused.status_code == 401
    assert f'acr_values="{MFA} phr", max_age="60"' in refused.headers["WWW-Authenticate"]


def test_by_hand(shared: FakeIssuer) -> None:
    verifier = shared.verifier()
    token = verifier.verify(shared.token("ada", acr=PASSWORD, auth_time=ago(shared, 5)))
    verifier.require_authentication(token, acr=PASSWORD, max_age=60)
    verifier.require_authentication(token)
    with pytest.raises(InsufficientAuthentication):
        verifier.require_authentication(token, acr=MFA)
    assert verifier.metrics()["refusals_total"] == {"insufficient_authentication": 1}
