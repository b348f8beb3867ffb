"""A fake issuer, for the tests of services that use the verifier.

    @pytest.fixture
    def issuer():
        with FakeIssuer() as issuer:
            yield issuer

    def test_a_revoked_token_is_refused(issuer):
        verifier, token = issuer.verifier(), issuer.token(scope="read")
        assert verifier.verify(token).has_scope("read")
        issuer.revoke_session(token)
        with pytest.raises(Revoked):
            verifier.verify(token)

Keys, signatures, feed and verifier are real; only the network between them is not, unless `serve=True`. Each `revoke_…`
returns when the verifiers made here have applied it, so that tests need no waiting.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from . import clock
from .testing_book import AUDIENCE, CLIENT, Book, unverified_claims
from .testing_network import Closing, LoopbackServer, MemoryTransport
from .testing_proof import ProofKey
from .testing_site import Site
from .verifier import Verifier

__all__ = ["AUDIENCE", "ISSUER", "FakeIssuer", "ProofKey"]

ISSUER = "https://issuer.test"
_SETTLE_SECONDS = 5.0


class FakeIssuer(Closing):
    """Issues tokens, takes them back, tells verifiers. Close it, or use it in a with-statement."""

    def __init__(
        self,
        url: str = ISSUER,
        *,
        audience: str = AUDIENCE,
        lifetime: int = 300,
        serve: bool = False,
        algorithms: Iterable[str] = (),
    ) -> None:
        """
        `audience`: whom tokens are for, and verifiers work for, unless told otherwise.
        `lifetime`: of tokens, in seconds.
        `serve`: also over real HTTP, on a free port of 127.0.0.1 which `url` then names: for services that are started
        with the issuer's URL in their configuration. The verifiers made here use HTTP then, too.
        `algorithms`: of PS256, ES256 and EdDSA, those that `token` may be asked for beside RS256.
        """
        self._ahead = 0.0
        self._server = LoopbackServer() if serve else None
        self.url = self._server.url if self._server else url
        self._book = Book(self.url, audience, lifetime, self.now, algorithms)
        self._site = Site(self._book)
        self._verifiers: list[Verifier] = []
        if self._server:
            self._server.start(self._site)

    # -- tokens -----------------------------------------------------------------------------------

    def token(
        self,
        sub: str = "user-1",
        scope: str = "",
        *,
        client_id: str = "app-1",
        sid: str | None = "",
        expires_in: float | None = None,
        bound_to: ProofKey | None = None,
        algorithm: str = "RS256",
        **claims: Any,
    ) -> str:
        """An access token. Each has a session of its own, unless `sid` names one or is None (a program's own token).

        `bound_to`: a DPoP key, without whose proofs it is worth nothing. `algorithm`: RS256 or one of the issuer's
        `algorithms`, by which it is signed. `claims` are added to the usual ones or
        replace them; None leaves one out (`exp=None`).
        """
        bound = {} if bound_to is None else {"cnf": {"jkt": bound_to.jkt}}
        said = {**bound, **claims}
        return self._book.token(
            sub, scope, client_id=client_id, sid=sid, expires_in=expires_in, claims=said, algorithm=algorithm
        )

    def client_token(self, client_id: str = "program-1", scope: str = "", **claims: Any) -> str:
        """A program's own token: its subject is the client, and it has no session."""
        return self.token(client_id, scope, client_id=client_id, sid=None, **claims)

    def bearer(self, *args: Any, **kwargs: Any) -> dict[str, str]:
        """The header with such a `token`, for a test client: `client.get("/", headers=issuer.bearer(scope="read"))`."""
        return {"Authorization": f"Bearer {self.token(*args, **kwargs)}"}

    def proof_key(self, alg: str = "ES256") -> ProofKey:
        """A client's DPoP key, by the time here."""
        return ProofKey(alg, now=self.now)

    # -- taking back: each returns the sequence number ----------------------------------------------

    def revoke_token(self, token: str) -> int:
        """One access token, by its `jti`."""
        claims = unverified_claims(token)
        return self._applied(self._book.revoke("jti", claims["jti"], expires=claims.get("exp")))

    def revoke_session(self, session: str) -> int:
        """All tokens of a session: a `sid`, or a token that has it."""
        return self._applied(self._book.revoke("sid", _named(session, "sid")))

    def revoke_user(self, user: str) -> int:
        """All tokens of a user issued until now: a `sub`, or a token of the user."""
        return self._applied(self._book.revoke("sub", _named(user, "sub")))

    def revoke_client(self, client: str) -> int:
        """All tokens of a client issued until now: a client_id, or a token of the client."""
        return self._applied(self._book.revoke("cli", _named(client, "client_id")))

    def revoke_key(self) -> int:
        """All tokens signed until now: the key is withdrawn, and another one signs."""
        return self._applied(self._book.revoke_key())

    def revoke_all(self) -> int:
        """All tokens issued until now."""
        return self._applied(self._book.revoke("iss", ""))

    def rotate_key(self) -> None:
        """Another key signs from now on; the old one stays good."""
        self._book.rotate()
        self._site.wake()

    # -- verifiers ----------------------------------------------------------------------------------

    def verifier(self, audience: str | None = None, *, start: bool = True, **options: Any) -> Verifier:
        """A verifier of this issuer, closed with it, ready unless `start` is false; `options` as for Verifier."""
        network = {} if self._server else {"transport": MemoryTransport(self._site)}
        defaults = {**CLIENT, **network, "clock": self.now, "monotonic": self._monotonic, "report": False}
        made = Verifier(self.url, audience=audience or self._book.audience, **{**defaults, **options})
        self._verifiers.append(made)
        if start:
            made.wait_ready(_SETTLE_SECONDS)
        return made

    @property
    def credentials(self) -> dict[str, str]:
        """`client_id` and `client_secret` that may introspect and report; `verifier` uses them by itself."""
        return dict(CLIENT)

    @property
    def applied(self) -> dict[str, int]:
        """The sequence number that each instance has reported as applied (`report=True`)."""
        return dict(self._site.applied)

    # -- time and trouble -----------------------------------------------------------------------------

    def now(self) -> float:
        """The time here and at the verifiers, in seconds since the epoch."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time go by, here and at the verifiers made here."""
        if seconds < 0:
            raise ValueError("time goes on, not back")
        self._ahead += seconds
        self._settle()

    @contextmanager
    def cut_off(self, *, feed_only: bool = False) -> Iterator[None]:
        """No answers meanwhile; with `feed_only` just no news of revocations, but introspection works."""
        self._site.cut(everything=not feed_only)
        try:
            yield
        finally:
            self._site.mend()
            self._settle()

    def _monotonic(self) -> float:
        return clock.monotonic() + self._ahead

    def _applied(self, seq: int) -> int:
        self._settle()
        return seq

    def _settle(self) -> None:
        """Until each verifier has applied all there is; not while it is cut off, nor for those that never will."""
        self._site.wake()
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not all(map(self._is_current, self._verifiers)) and time.monotonic() < deadline:
            time.sleep(0.002)

    def _is_current(self, verifier: Verifier) -> bool:
        if self._site.is_cut or not verifier.ready:
            return True
        status: Any = verifier.status()
        age = status["age_seconds"]
        return status["seq"] == self._book.seq and age is not None and age < 1.5

    # -- the end ---------------------------------------------------------------------------------------

    def close(self) -> None:
        self._site.cut(everything=True)
        for verifier in self._verifiers:
            verifier.close()
        if self._server:
            self._server.close()


def _named(thing: str, claim: str) -> str:
    """The claim of a token, or what is no token as it is."""
    return str(unverified_claims(thing)[claim]) if thing.count(".") == 2 and thing.startswith("eyJ") else thing
