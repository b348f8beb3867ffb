"""A Starlette service that verifies its tokens locally: `ISSUER=... AUDIENCE=... uvicorn starlette_app:app`."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from authserver.verifier import Verifier
from authserver.verifier.asgi import BearerAuth, require

verifier = Verifier(os.environ["ISSUER"], audience=os.environ["AUDIENCE"])


async def health(request: Request) -> JSONResponse:
    return JSONResponse({"ready": verifier.ready})


@require(scope="orders:read")
async def orders(request: Request) -> JSONResponse:
    return JSONResponse({"orders_of": request.auth.subject})


app = Starlette(routes=[Route("/health", health), Route("/orders", orders)])
app.add_middleware(BearerAuth, verifier=verifier, exempt=["/health"])
