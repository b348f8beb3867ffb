"""What the load generator is tried on: refreshes in strict order, and faults on request."""

from __future__ import annotations

from collections import defaultdict
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_generation: defaultdict[str, int] = defaultdict(int)


async def _empty(request: Request) -> Response:
    return Response()


async def _refresh(request: Request) -> Response:
    presented = parse_qs((await request.body()).decode())["refresh_token"][0]
    chain, generation = presented.split(".")
    if int(generation) != _generation[chain]:
        return JSONResponse({"error": "invalid_grant"}, 400)
    _generation[chain] += 1
    return JSONResponse({"access_token": f"at.{presented}", "refresh_token": f"{chain}.{_generation[chain]}"})


async def _stuck(request: Request) -> Response:
    presented = parse_qs((await request.body()).decode())["refresh_token"][0]
    return JSONResponse({"access_token": "at", "refresh_token": presented})


async def _broken(request: Request) -> Response:
    return JSONResponse({"error": "server_error"}, 500)


app = Starlette(
    routes=[
        Route("/", _empty, methods=["GET", "POST"]),
        Route("/refresh", _refresh, methods=["POST"]),
        Route("/stuck", _stuck, methods=["POST"]),
        Route("/broken", _broken, methods=["POST"]),
    ]
)
