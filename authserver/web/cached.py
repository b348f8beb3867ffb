"""A document that many ask for again and again: its answers are made once."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response


class CachedDocument:
    """A document as two answers made once: the whole (200) and "you have it" (304, RFC 9110 section 13.1.2)."""

    __slots__ = ("_etag", "_unchanged", "_whole")

    def __init__(
        self, body: bytes, etag: str, cache_control: str, *, media_type: str = "application/json", vary: str = ""
    ) -> None:
        headers = {"ETag": etag, "Cache-Control": cache_control, **({"Vary": vary} if vary else {})}
        self._etag = etag
        self._whole = Response(body, headers=headers, media_type=media_type)
        self._unchanged = Response(status_code=304, headers=headers)

    def answer(self, request: Request) -> Response:
        for name, value in request.scope["headers"]:
            if name == b"if-none-match" and self._is_known(value.decode("latin-1")):
                return self._unchanged
        return self._whole

    def _is_known(self, etags: str) -> bool:
        """Weak comparison: proxies that compress mark the ETag as weak."""
        return any(etag.strip().removeprefix("W/") in (self._etag, "*") for etag in etags.split(","))
