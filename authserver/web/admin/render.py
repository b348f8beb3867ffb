"""Answers of the admin API; the records in them are shown by `administration.views`."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from authserver.web.answers import NO_STORE


def answer(body: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, status, headers={**NO_STORE, **(headers or {})})
