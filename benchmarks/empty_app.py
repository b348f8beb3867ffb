"""The least an HTTP answer can cost: Starlette with one route and nothing in the answer."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def empty(request: Request) -> Response:
    return Response()


app = Starlette(routes=[Route("/", empty)])
