"""From a path to a handler: one dictionary look-up for fixed paths, a short list for the others.

An application-wide table of `Rule`s instead of a framework's router: the route template is known
to the metrics, 404 and 405 are refusals like any other, and a fixed path costs no regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from authserver.web.errors import MethodNotAllowed, NotFoundHere

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

UNMATCHED = "(unmatched)"
"""The route label of requests that no rule matches, so that metrics stay bounded."""

_PREFLIGHT = {
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP",
    "Access-Control-Max-Age": "86400",
}


@dataclass(frozen=True, slots=True)
class Rule:
    path: str
    """Fixed ("/token") or with parameters ("/sessions/{session_id}"), relative to the issuer's path."""
    methods: Mapping[str, Handler]
    cors: bool = False
    """Any web origin may call it, never with cookies: for endpoints whose only credential is in the request."""
    page: bool = False
    """People open it in a browser: whatever it refuses is a page to those who ask for HTML."""


def rule(path: str, *, cors: bool = False, page: bool = False, **handlers: Handler) -> Rule:
    """A rule from keyword arguments named after HTTP methods; GET answers HEAD too."""
    methods = {name.upper(): handler for name, handler in handlers.items()}
    if "GET" in methods:
        methods.setdefault("HEAD", methods["GET"])
    return Rule(path, methods, cors, page)


class Router:
    """An ASGI app; raises a `Refused` for an unknown path or method."""

    def __init__(self, rules: Iterable[Rule], *, prefix: str = "", signpost: str = "") -> None:
        """`signpost`: where to look instead, for people who open the issuer itself in a browser."""
        self.rules = tuple(rules)
        self._prefix = prefix
        self._signpost = signpost
        self._fixed = {r.path: r for r in self.rules if "{" not in r.path}
        self._patterns: list[tuple[re.Pattern[str], Rule]] = [
            (compile_path(r.path)[0], r) for r in self.rules if "{" in r.path
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["base"] = self._prefix
        matched = self._match(scope["path"], scope)
        scope["route"] = matched.path
        scope["cors"] = matched.cors
        scope["page"] = matched.page
        handler = matched.methods.get(scope["method"])
        if handler is not None:
            response = await handler(Request(scope, receive))
        elif matched.cors and scope["method"] == "OPTIONS":
            response = _preflight(matched)
        else:
            raise MethodNotAllowed(", ".join(matched.methods))
        await response(scope, receive, send)

    def _match(self, path: str, scope: Scope) -> Rule:
        if self._prefix and path.startswith(self._prefix + "/"):
            path = path[len(self._prefix) :]
        found = self._fixed.get(path)
        if found is not None:
            return found
        spelt = self._spelt(scope, path)
        for pattern, candidate in self._patterns:
            match = pattern.match(spelt)
            if match:
                found_in = match.groupdict()
                scope["path_params"] = found_in if spelt is path else {n: unquote(v) for n, v in found_in.items()}
                return candidate
        where = f"; what this server offers: {self._signpost}" if self._signpost and path in ("/", self._prefix) else ""
        raise NotFoundHere(f"there is nothing at this path{where}")

    def _spelt(self, scope: Scope, path: str) -> str:
        """The path, or as it was sent where a slash in it is encoded: then it is part of a name, such as the id of a
        client that is a URL, and separates nothing."""
        raw = scope.get("raw_path", b"").partition(b"?")[0]
        if b"%2f" not in raw.lower():
            return path
        sent = str(raw, "latin-1")
        return sent.removeprefix(self._prefix) if self._prefix else sent


def _preflight(matched: Rule) -> Response:
    return Response(status_code=204, headers={**_PREFLIGHT, "Access-Control-Allow-Methods": ", ".join(matched.methods)})
