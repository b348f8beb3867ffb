"""A FastAPI service that verifies its tokens locally: `ISSUER=... AUDIENCE=... uvicorn fastapi_app:app --port 9000`."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from authserver.verifier import VerifiedToken, Verifier
from authserver.verifier.asgi import BearerAuth, require

verifier = Verifier(os.environ["ISSUER"], audience=os.environ["AUDIENCE"])
# HTTPBearer only tells OpenAPI, for the page's Authorize button; the middleware decides, and leaves that page open.
app = FastAPI(dependencies=[Depends(HTTPBearer(auto_error=False))])
app.add_middleware(BearerAuth, verifier=verifier, exempt=["/health", "/docs", "/openapi.json"])


@app.get("/health")
async def health() -> dict[str, bool]:
    return {"ready": verifier.ready}


@app.get("/orders")
async def orders(token: Annotated[VerifiedToken, Depends(require(scope="orders:read"))]) -> dict[str, str]:
    return {"orders_of": token.subject}
