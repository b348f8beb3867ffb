"""One ASGI request or WebSocket under `asgi.BearerAuth`: let in or answered, also when it is too late to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Protocol

from .certificate import Certificate
from .challenge import Answer, Guard
from .errors import Refusal
from .needs import Needs
from .request_facts import Presented
from .token import VerifiedToken

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class HasScope(Protocol):
    """What is needed of a framework's request."""

    @property
    def scope(self) -> Scope: ...


BEARER = "authserver.bearer"
"""Where `require` finds the BearerRequest in the scope."""
_POLICY_VIOLATION = 1008
"""RFC 6455 section 7.4.1: what a refused WebSocket is closed with."""


class BearerRequest:
    """One request or WebSocket on its way through the middleware; `require` finds it in the scope."""

    def __init__(
        self,
        guard: Guard,
        scope: Scope,
        receive: Receive,
        send: Send,
        certificate: Callable[[Scope], Certificate | None] | None = None,
    ) -> None:
        self.guard = guard
        self.token: VerifiedToken | None = None
        self.admitted_for = Needs()
        """What `token` was verified for."""
        self.needs = Needs()
        self.refusal: Refusal | None = None
        """Raised by `require`; a framework between it and us may have made an error 500 of it."""
        self._scope: Scope = {**scope, BEARER: self, "state": {**scope.get("state", {})}}
        self._receive, self._send = receive, send
        self._certificate = certificate
        self._presented: Presented | None = None
        self._begun = False
        self._refused = False

    async def run(self, app: App, *, verify: bool) -> None:
        try:
            if verify:
                self.admit(self._scope, await self.guard.admit_async(self.presented()))
            await app(self._scope, self._receive, self._pass_on)
        except Refusal as refusal:
            if not self._refused and not await self._answer(refusal):
                raise

    def presented(self) -> Presented:
        """Once for each request, so that a proof which several requirements ask about is not its own replay."""
        if self._presented is None:
            self._presented = self.guard.presented(
                authorization_of(self._scope), _Facts(self._scope, self._certificate)
            )
        return self._presented

    def admit(self, scope: Scope, token: VerifiedToken, needs: Needs = Needs()) -> VerifiedToken:  # noqa: B008 (frozen)
        self.admitted_for = needs
        self.token = scope["auth"] = token
        scope.setdefault("state", {})["token"] = token
        return token

    def admitted(self, needs: Needs) -> VerifiedToken | None:
        """The token if it was verified already, under the same policy; raises Refusal for what it lacks."""
        if self.token is None or not needs.same_policy(self.admitted_for):
            return None
        self.guard.require(self.token, needs)
        return self.token

    @contextmanager
    def remembering(self) -> Iterator[None]:
        try:
            yield
        except Refusal as refusal:
            self.refusal = refusal
            raise

    async def _pass_on(self, message: Message) -> None:
        if self._refused:
            return
        if self.refusal is not None and message["type"] == "http.response.start" and message["status"] == 500:
            await self._answer(self.refusal)
            return
        if not self._begun and self._presented is not None and message["type"] == "http.response.start":
            message = self._with_nonce(message, self._presented)
        self._begun = True
        await self._send(message)

    def _with_nonce(self, message: Message, presented: Presented) -> Message:
        more = _raw(self.guard.nonce_header(presented.shown))
        return {**message, "headers": [*message.get("headers", ()), *more]} if more else message

    async def _answer(self, refusal: Refusal) -> bool:
        """False if it is too late for that."""
        if self._begun and self._scope["type"] == "http":
            return False
        self._refused = True
        answer = self.guard.answer(refusal, self.needs.scope)
        for message in _messages(self._scope, answer, begun=self._begun):
            await self._send(message)
        return True


class _Facts:
    """`RequestFacts` of a scope."""

    def __init__(self, scope: Scope, certificate: Callable[[Scope], Certificate | None] | None) -> None:
        self._scope = scope
        self.certificate = None if certificate is None else lambda: certificate(scope)

    @property
    def method(self) -> str:
        return str(self._scope.get("method", "GET"))  # a WebSocket begins as one

    @property
    def host(self) -> str:
        return (_values(self._scope, b"host") or [""])[0]

    @property
    def path(self) -> str:
        path: bytes = self._scope.get("raw_path") or str(self._scope["path"]).encode()
        return path.partition(b"?")[0].decode("latin-1")

    @property
    def proofs(self) -> list[str]:
        return _values(self._scope, b"dpop")


def authorization_of(scope: Scope) -> list[str]:
    """The values of all Authorization headers."""
    return _values(scope, b"authorization")


def _values(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted]


def _raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _messages(scope: Scope, answer: Answer, *, begun: bool) -> list[Message]:
    can_answer = scope["type"] == "http" or "websocket.http.response" in (scope.get("extensions") or {})
    if begun or not can_answer:
        return [{"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""}]
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    return [
        {"type": f"{kind}.start", "status": answer.status, "headers": _raw(answer.headers)},
        {"type": f"{kind}.body", "body": answer.body},
    ]
