"""Everything that holds for every request, in one pure ASGI layer (each layer costs every request).

Request id, the caller's address behind trusted proxies, a limit on bodies that holds while they stream,
security headers, CORS headers where the route allows them, metrics, the access log,
and the boundary where an exception becomes an answer.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from time import perf_counter
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from authserver import telemetry
from authserver.web.certificate_header import CertificateHeader
from authserver.web.errors import BodyTooLarge, error_response
from authserver.web.routing import UNMATCHED

Network: TypeAlias = IPv4Network | IPv6Network

_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]
_CSP = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
"""Unless the answer has a policy of its own, as pages do."""
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"WWW-Authenticate, DPoP-Nonce, Retry-After, X-Request-ID, Revocation-Seq"),
]
MORE_HEADERS = "authserver.headers"
"""Where in the scope an endpoint's helpers leave headers, as raw pairs, that go with the answer whatever it will be."""
_SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
_log = telemetry.logger("authserver.access")


class Edge:
    """The outermost ASGI app."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_body: int,
        trusted_proxies: Iterable[Network] = (),
        https: bool = False,
        access_log: bool = False,
        certificates: CertificateHeader = CertificateHeader(),  # noqa: B008 (it never changes)
    ) -> None:
        self._app = app
        self._max_body = max_body
        self._proxies = TrustedProxies(trusted_proxies)
        self._headers = [*_SECURITY, _HSTS] if https else _SECURITY
        self._access_log = access_log
        self._certificates = certificates
        self._id_prefix = os.urandom(6).hex()
        self._id_counter = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        request_id, length = self._read_headers(scope)
        telemetry.request_id.set(request_id)
        self._certificates.take(scope, trusted=self._proxies.see_through(scope))
        telemetry.address.set(_peer(scope))
        answer = _Answer(send, scope, self._headers, request_id)
        try:
            await self._app(scope, self._limited(scope, receive, length), answer.send)
        except Exception as error:  # the boundary: whatever it is, it becomes an answer
            if answer.status:  # half an answer is out: only cutting the connection tells the caller
                raise
            await error_response(error, scope)(scope, receive, answer.send)
        seconds = perf_counter() - started
        telemetry.observe_request(scope.get("route", UNMATCHED), scope["method"], answer.status, seconds)
        if self._access_log:
            _note(scope, answer.status, seconds)

    def _read_headers(self, scope: Scope) -> tuple[str, int]:
        """The request id (the caller's own if it is sane) and the announced length of the body."""
        request_id, length = b"", 0
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _SANE_REQUEST_ID.fullmatch(value):
                request_id = value
            elif name == b"content-length" and value.isdigit():
                length = int(value)
        return request_id.decode() or f"{self._id_prefix}-{next(self._id_counter):x}", length

    def _limited(self, scope: Scope, receive: Receive, length: int) -> Receive:
        if scope["method"] in _BODILESS:
            return receive
        limit, seen = self._max_body, 0

        async def limited_receive() -> Message:
            nonlocal seen
            if length > limit:
                raise BodyTooLarge(f"the body may have at most {limit} bytes")
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise BodyTooLarge(f"the body may have at most {limit} bytes")
            return message

        return limited_receive


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


class _Answer:
    """Adds our headers to the answer on its way out and remembers its status."""

    __slots__ = ("_headers", "_request_id", "_scope", "_send", "status")

    def __init__(self, send: Send, scope: Scope, headers: list[tuple[bytes, bytes]], request_id: str) -> None:
        self._send = send
        self._scope = scope
        self._headers = headers
        self._request_id = request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], *self._headers, (b"x-request-id", self._request_id.encode())]
            if b"content-security-policy" not in dict(message["headers"]):
                headers.append(_CSP)
            headers += self._scope.get(MORE_HEADERS, ())
            message["headers"] = headers + _CORS if self._scope.get("cors") else headers
        await self._send(message)


class TrustedProxies:
    """Believes X-Forwarded-For and -Proto from the networks it is told to, and from nobody else."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(map(_undressed, networks))

    def see_through(self, scope: Scope) -> bool:
        """Replace client and scheme by what the nearest untrusted hop was seen as; true if the request came from a
        trusted proxy.

        A socket that takes both families shows IPv4 as ::ffff:192.0.2.1; everything behind sees 192.0.2.1.
        """
        client = scope.get("client")
        if client is not None and client[0].startswith("::"):
            client = scope["client"] = (str(_address(client[0]) or client[0]), client[1])
        if not self._networks or client is None or not self._trusts(client[0]):
            return False
        forwarded, proto = _forwarded(scope)
        if proto in ("http", "https"):
            scope["scheme"] = proto
        hop = next((hop for hop in reversed(forwarded) if not self._trusts(hop)), None)
        address = None if hop is None else _address(hop)
        if address is not None:
            scope["client"] = (str(address), 0)
        return True

    def _trusts(self, address: str) -> bool:
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def _undressed(network: Network) -> Network:
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return network if mapped is None or network.prefixlen < 96 else IPv4Network((mapped, network.prefixlen - 96))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """None for what is no address; an IPv4 address in IPv6 clothing (RFC 4291 section 2.5.5.2) is undressed."""
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _without_port(hop: str) -> str:
    """Some proxies add the port: "192.0.2.1:4711", "[2001:db8::1]:4711"."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _forwarded(scope: Scope) -> tuple[list[str], str]:
    hops: list[str] = []
    proto = ""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            hops += [_without_port(hop.strip()) for hop in value.decode("latin-1").split(",") if hop.strip()]
        elif name == b"x-forwarded-proto":
            proto = value.decode("latin-1").split(",")[-1].strip().lower()
    return hops, proto


def _note(scope: Scope, status: int, seconds: float) -> None:
    """The query string stays out: some callers put tokens there, against all advice."""
    client = scope.get("client")
    _log.info(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        ms=round(seconds * 1000, 2),
        address=client[0] if client else "",
    )
