"""What answers have in common: their headers, and the fast one of the endpoints that programs call all the time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

NO_STORE: Final = {"Cache-Control": "no-store"}

_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


async def look(request: Request) -> Response:
    """HEAD where a GET does something that happens once: whoever only looks changes nothing."""
    return Response(headers=NO_STORE)


class NoStoreJson(Response):
    """200, a JSON object, kept by no cache. Its headers are ready bytes; Starlette's JSONResponse would
    encode them again for every answer, which costs as much as the JSON itself."""

    def __init__(self, content: Mapping[str, object]) -> None:
        self.status_code = 200
        self.background = None
        self.body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        self.raw_headers = [*_HEADERS, (b"content-length", b"%d" % len(self.body))]
