"""Answers of the admin API; the records in them are shown by `administration.views`."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from authserver.model.revocation import RevocationOutcome
from authserver.web.errors import NO_STORE

SEQUENCE_HEADER = "Revocation-Seq"


def answer(body: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, status, headers={**NO_STORE, **(headers or {})})


def sequence_header(outcome: RevocationOutcome) -> dict[str, str]:
    """Only when something was written: a caller can wait until resource servers have applied it."""
    return {} if outcome.sequence is None else {SEQUENCE_HEADER: str(outcome.sequence)}
