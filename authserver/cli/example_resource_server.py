"""What `authserver dev --with-resource-server` starts beside the server: an API that checks tokens by itself."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from authserver.verifier import Verifier
from authserver.verifier.asgi import BearerAuth, require

verifier = Verifier(
    os.environ["ISSUER"],
    audience=os.environ["AUDIENCE"],
    client_id=os.environ["CLIENT_ID"],  # for introspection, where the feed is cut off, and to report what was applied
    client_secret=os.environ["CLIENT_SECRET"],
)


@require(scope="read")
async def hello(request: Request) -> JSONResponse:
    return JSONResponse({"hello": request.auth.subject, "client": request.auth.client_id})


app = Starlette(routes=[Route("/", hello)])
app.add_middleware(BearerAuth, verifier=verifier)
