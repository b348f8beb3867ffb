"""What a resource server tells about itself (RFC 9728): the document, where it is, and who is told of it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from authserver.verifier import ProtectedResource, Verifier
from authserver.verifier.asgi import BearerAuth
from authserver.verifier.testing import AUDIENCE, ISSUER, FakeIssuer
from authserver.verifier.wsgi import BearerAuth as WsgiAuth
from tests.verifier.test_wsgi import call

WELL_KNOWN = "/.well-known/oauth-protected-resource"
ABOUT = ProtectedResource(AUDIENCE, [ISSUER], scopes_supported=["read", "write"], resource_name="Shop")
DOCUMENT = {
    "resource": AUDIENCE,
    "authorization_servers": [ISSUER],
    "scopes_supported": ["read", "write"],
    "bearer_methods_supported": ["header"],
    "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "PS256", "RS256"],
    "resource_name": "Shop",
}


async def hello(request: Request) -> JSONResponse:
    return JSONResponse({"hello": request.auth.subject})


def a_client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE)


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://api.test", f"https://api.test{WELL_KNOWN}"),
        ("https://api.test/", f"https://api.test{WELL_KNOWN}"),
        ("https://api.test/v1/mcp", f"https://api.test{WELL_KNOWN}/v1/mcp"),
        ("https://api.test/v1/", f"https://api.test{WELL_KNOWN}/v1/"),
        ("https://api.test:8443/a?tenant=b", f"https://api.test:8443{WELL_KNOWN}/a?tenant=b"),
        ("http://127.0.0.1:9000", f"http://127.0.0.1:9000{WELL_KNOWN}"),
    ],
)
def test_the_well_known_part_stands_between_host_and_path(resource: str, url: str) -> None:
    """RFC 9728 section 3.1."""
    assert ProtectedResource(resource, [ISSUER]).metadata_url == url


@pytest.mark.parametrize("resource", ["http://api.test", "https://api.test#a", "urn:api", "", "https://u:p@api.test"])
def test_a_resource_that_is_no_https_url_is_refused(resource: str) -> None:
    with pytest.raises(ValueError):
        ProtectedResource(resource, [ISSUER])


def test_an_issuer_that_is_none_is_refused() -> None:
    for issuers in (["http://auth.test"], ISSUER):
        with pytest.raises(ValueError):
            ProtectedResource(AUDIENCE, issuers)


def test_what_would_be_empty_is_left_out() -> None:
    """RFC 9728 section 3.2."""
    bare = ProtectedResource(AUDIENCE, [ISSUER], dpop_signing_alg_values_supported=())
    assert bare.document() == {
        "resource": AUDIENCE,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    }
    bound = ProtectedResource(
        AUDIENCE,
        [ISSUER],
        dpop_bound_access_tokens_required=True,
        tls_client_certificate_bound_access_tokens=True,
        more={"resource_policy_uri": "https://api.test/policy"},
    ).document()
    assert bound["dpop_bound_access_tokens_required"] is True
    assert bound["tls_client_certificate_bound_access_tokens"] is True
    assert bound["resource_policy_uri"] == "https://api.test/policy"


async def test_the_middleware_serves_it_to_anybody_and_names_it_in_its_challenges(
    shared: FakeIssuer, verifier: Verifier
) -> None:
    app = Starlette(routes=[Route("/", hello)])
    app.add_middleware(BearerAuth, verifier=verifier, resource_metadata=ABOUT)
    async with a_client(app) as client:
        refused = await client.get("/")
        assert refused.headers["www-authenticate"] == f'Bearer resource_metadata="{ABOUT.metadata_url}"'
        told = await client.get(ABOUT.metadata_url)
        assert (told.status_code, told.json()) == (200, DOCUMENT)
        assert told.headers["content-type"] == "application/json"
        assert told.headers["access-control-allow-origin"] == "*"
        assert (await client.head(WELL_KNOWN)).content == b""
        assert (await client.post(WELL_KNOWN)).status_code == 405
        assert (await client.get(f"{WELL_KNOWN}/other")).status_code == 401
        assert (await client.get("/", headers=shared.bearer("ada"))).json() == {"hello": "ada"}


async def test_without_the_middleware_it_is_a_route_of_its_own() -> None:
    async with a_client(Starlette(routes=[Route(ABOUT.path, ABOUT)])) as client:
        assert (await client.get(WELL_KNOWN)).json() == DOCUMENT


def test_under_wsgi_it_is_the_same(verifier: Verifier) -> None:
    import json

    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise AssertionError("must not be reached")

    answer = call(WsgiAuth(app, verifier, resource_metadata=ABOUT), WELL_KNOWN)
    assert (answer.status, json.loads(answer.body)) == ("200 OK", DOCUMENT)
    refused = call(WsgiAuth(app, verifier, resource_metadata=ABOUT))
    assert refused.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{ABOUT.metadata_url}"'
