"""An issuer made of dictionaries, and a feed that says what a test tells it; keys and signatures are real."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from authserver.tokens.signingkey import public_jwk
from authserver.verifier import Refusal, Verifier
from authserver.verifier.strict import decoded
from authserver.verifier.token import TokenKeys
from authserver.verifier.transport import Response, TransportError
from tests.unit.tokens.builders import signed

ISSUER = "https://auth.example.com"
AUDIENCE = "https://api.example.com"
METADATA = f"{ISSUER}/.well-known/oauth-authorization-server"
JWKS = f"{ISSUER}/jwks"
INTROSPECTION = f"{ISSUER}/introspect"
NOON = 1_790_000_000
KID = "key-1"


def private_key(number: int = 1, bits: int = 2048) -> RSAPrivateKey:
    """Always the same ones: making a key is the slowest thing a test can do."""
    return _private_key(number, bits)


@cache
def _private_key(number: int, bits: int) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


def jwk(number: int = 1, kid: str | None = None) -> dict[str, Any]:
    return dict(public_jwk(private_key(number).public_key(), kid or f"key-{number}"))


CLAIMS: Mapping[str, Any] = {
    "iss": ISSUER,
    "sub": "0198f0a0-0000-7000-8000-000000000001",
    "aud": AUDIENCE,
    "client_id": "web-app",
    "scope": "read write",
    "iat": NOON - 60,
    "exp": NOON + 240,
    "jti": "0198f0a0-0000-7000-8000-000000000002",
    "sid": "0198f0a0-0000-7000-8000-000000000003",
    "rv": "3.2.1",
}


def a_token(header: Mapping[str, Any] | None = None, *, key: RSAPrivateKey | None = None, **claims: Any) -> str:
    """A good token, with other claims (None leaves one out) or header members, under a good signature."""
    head = {"alg": "RS256", "typ": "at+jwt", "kid": KID, **(header or {})}
    both = [{name: value for name, value in part.items() if value is not None} for part in (head, {**CLAIMS, **claims})]
    return signed(both[0], both[1], key or private_key())


@dataclass
class Time:
    """Both clocks; `pass_` moves them together, `wall` can be set alone."""

    wall: float = NOON
    monotonic: float = 1000.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def an_answer(body: Any, status: int = 200, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {"content-type": "application/json", **headers}, raw)


@dataclass
class Network:
    """A transport. `answers` are Responses, exceptions to raise, or functions of the request's body."""

    answers: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.answers = {
            METADATA: an_answer(
                {
                    "issuer": ISSUER,
                    "jwks_uri": JWKS,
                    "introspection_endpoint": INTROSPECTION,
                    "revocation_feed_endpoint": f"{ISSUER}/revocations",
                }
            ),
            JWKS: an_answer({"keys": [jwk()]}),
            INTROSPECTION: introspected,
            **self.answers,
        }

    def count(self, url: str) -> int:
        return self.requests.count(url)

    def publish(self, *keys: Mapping[str, Any]) -> None:
        self.answers[JWKS] = an_answer({"keys": list(keys)})

    def fail(self, url: str) -> None:
        self.answers[url] = TransportError("cut off")

    def get(self, url: str, *, limit: int, **options: Any) -> Response:
        return self._answer(url, b"", limit, options)

    def post(self, url: str, body: bytes, *, limit: int, **options: Any) -> Response:
        return self._answer(url, body, limit, options)

    def open(self, url: str, **options: Any) -> Any:
        raise TransportError("there is no feed here")

    def close(self) -> None:
        self.closed = True

    def _answer(self, url: str, body: bytes, limit: int, options: Mapping[str, Any]) -> Response:
        with self._lock:
            self.requests.append(url)
            self.headers.append(options.get("headers", {}))
        answer = self.answers[url]
        if callable(answer):
            answer = answer(body)
        if isinstance(answer, Exception):
            raise answer
        if len(answer.body) > limit:
            raise TransportError("too large")
        return answer  # type: ignore[no-any-return]  # whatever a test has put there


def introspected(body: bytes, **differs: Any) -> Response:
    """What the issuer says about a token that is alive."""
    token = parse_qs(body.decode())["token"][0]
    claims = json.loads(_payload(token))
    return an_answer({"active": True, **claims, **differs})


def _payload(token: str) -> bytes:
    return decoded(token.split(".")[1])


@dataclass
class ToldSet:
    """The negative set, as far as a test needs one."""

    denies: Callable[[TokenKeys], str | None] = lambda keys: None
    entries: int = 0

    def refusal(self, keys: TokenKeys) -> str | None:
        return self.denies(keys)


class ToldFeed:
    """A follower that follows nothing: its age and its revocations are what the test says."""

    def __init__(self, issuer: str, **options: Any) -> None:
        self.options = options
        self.monotonic, self.wall = options["monotonic"], options["wall"]
        self.revocations = ToldSet()
        self.starts = self.closes = 0
        self.seq, self.log, self.checkpoint = 7, "5c0b7e0f2f6a4d11", None
        self.counters: dict[str, int] = {"gaps": 0}
        self._news: tuple[float, float] | None = None
        self.tell()

    def tell(self, at: float | None = None) -> None:
        """A checkpoint arrives, saying that it is `at` at the issuer."""
        self._news = (self.monotonic(), self.wall() if at is None else at)

    def forget(self) -> None:
        self._news = None

    def start(self) -> None:
        self.starts += 1

    def close(self) -> None:
        self.closes += 1

    @property
    def ready(self) -> bool:
        return self._news is not None

    def wait_ready(self, timeout: float) -> bool:
        return self.ready

    def age(self) -> float:
        return float("inf") if self._news is None else self.monotonic() - self._news[0]

    def issuer_now(self) -> float | None:
        return None if self._news is None else self._news[1] + self.age()

    def since(self, issued_at: int) -> float | None:
        now = self.issuer_now()
        return None if now is None else max(0.0, now - issued_at)


@dataclass
class Service:
    """A resource server: one verifier, and everything around it."""

    verifier: Verifier
    network: Network
    time: Time
    feed: ToldFeed

    def refusal(self, token: Any, **options: Any) -> str:
        """The code with which the token is refused, or "accepted"."""
        try:
            self.verifier.verify(token, **options)
        except Refusal as refused:
            return refused.code
        return "accepted"


CREDENTIALS = {"client_id": "api", "client_secret": "s" * 32}


def a_service(**options: Any) -> Service:
    """A verifier whose feed is fresh; with `credentials=False` it cannot introspect."""
    network, time = options.pop("network", None) or Network(), options.pop("time", None) or Time()
    credentials = CREDENTIALS if options.pop("credentials", True) else {}
    verifier = Verifier(
        ISSUER,
        transport=network,
        follower=ToldFeed,  # type: ignore[arg-type]  # it has what is asked of a follower
        clock=lambda: time.wall,
        monotonic=lambda: time.monotonic,
        **{"audience": AUDIENCE, **credentials, **options},
    )
    feed: Any = verifier._parts.follower
    return Service(verifier, network, time, feed)
