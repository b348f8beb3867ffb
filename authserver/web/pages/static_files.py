"""/account/static/{file}: what pages load, under names that change with the content."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from authserver.model.errors import NotFound
from authserver.web.html import STYLE

FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_FILES: Final = {asset.name: asset for asset in (STYLE,)}


class StaticFiles:
    async def get(self, request: Request) -> Response:
        asset = _FILES.get(request.path_params["file"])
        if asset is None:
            raise NotFound("there is no such file, or it has changed: reload the page")
        return Response(asset.body, headers={**FOR_EVER, "Content-Type": asset.media_type})
