"""The decision about one token: form, key, signature and claims once, time and revocation at each use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import inf
from typing import NamedTuple, Protocol

from .claims import ACCESS_TOKEN_TYP, Expected, token_keys
from .clock import COUNTS_SLEEP, Clock
from .errors import (
    BadSignature,
    Expired,
    HeaderNotAcceptable,
    Inactive,
    InsufficientScope,
    MalformedToken,
    NotReady,
    Overloaded,
    Revoked,
    Stale,
)
from .introspection import Answer
from .jwk import Key
from .jwks import JwksCache
from .metrics import Counters
from .policy import AcceptUntil, OnStale
from .seen import Seen, SeenTokens
from .strict import MAX_TOKEN_CHARS, HeaderRefused, Malformed, UnverifiedJwt, json_object, read_form
from .token import TokenKeys

ISSUING = 2.0
"""Seconds that the issuer may have taken from looking whether it may issue a token to the token's `iat`."""


class Listed(Protocol):
    """What `state.Revocations` answers."""

    def refusal(self, keys: TokenKeys) -> str | None: ...


class Feed(Protocol):
    """What the decision needs of `follower.FeedFollower`."""

    @property
    def revocations(self) -> Listed: ...

    def age(self) -> float: ...

    def issuer_now(self) -> float | None: ...

    def since(self, issued_at: int) -> float | None: ...


class Opinion(NamedTuple):
    """What can be said here: good, or good if the issuer says so."""

    seen: Seen
    ask: bool


@dataclass(slots=True)
class Core:
    """Everything it needs comes in; it starts nothing and holds no locks."""

    expected: Expected
    algorithms: Sequence[str]
    keys: JwksCache
    feed: Feed
    can_ask: bool
    """There is an introspection endpoint and a client that may use it."""
    counters: Counters
    wall: Clock
    seen: SeenTokens
    counts_sleep: bool = field(default=COUNTS_SLEEP)

    def examine(
        self, token: str, scope: str | Iterable[str] | None, max_staleness: float, on_stale: OnStale, *, wait: bool
    ) -> Opinion:
        """Raises a Refusal, or MustWait if keys must be fetched first and `wait` is False."""
        seen = self._genuine(token, wait)
        # The age before the look-ups: then they are at least as new as it says.
        age, issuer_now = self.feed.age(), self.feed.issuer_now()
        age = self._checked_time(seen, age, issuer_now, max_staleness)
        kind = self.feed.revocations.refusal(seen.keys)
        if kind is not None:
            raise Revoked(kind)
        if scope is not None and not seen.token.has_scope(scope):
            raise InsufficientScope
        if age <= max_staleness:
            return Opinion(seen, False)
        return Opinion(seen, self._must_ask(age, issuer_now is not None, on_stale))

    def conclude(self, seen: Seen, answer: Answer) -> None:
        """What introspection's answer means for the request; raises a Refusal unless the token is good."""
        if answer.outcome == "inactive":
            self.counters.decided("inactive")
            raise Inactive
        if answer.outcome != "active":
            self.counters.decided("undecided")
            error = Overloaded if answer.outcome == "overloaded" else Stale if self._is_ready() else NotReady
            raise error(detail=answer.detail, retry_after=answer.retry_after)
        self.counters.decided("active")
        kind = self.feed.revocations.refusal(seen.keys)  # news may have come in meanwhile
        if kind is not None:
            raise Revoked(kind)

    # -- once for each token ------------------------------------------------------------------

    def _genuine(self, token: str, wait: bool) -> Seen:
        if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARS:
            raise MalformedToken(detail="too long, or no text")
        try:
            digest = sha256(token.encode("ascii")).digest()
        except UnicodeEncodeError:
            raise MalformedToken(detail="not ASCII") from None
        seen = self.seen.get(digest)
        if seen is None or not self.keys.holds(seen.key):
            seen = self._verify(token, digest, wait)
            self.seen.add(seen)
        return seen

    def _verify(self, token: str, digest: bytes, wait: bool) -> Seen:
        try:
            form = read_form(token)
            key = self._key(form, wait)
            self.counters.signature()
            if not key.verify(form.signing_input, form.signature):
                raise BadSignature
            claims = json_object(form.unverified_payload)
        except Malformed as error:
            raise MalformedToken(detail=str(error)) from None
        except HeaderRefused as error:
            raise HeaderNotAcceptable(detail=str(error)) from None
        verified = self.expected.read(claims, latest_now=max(self.wall(), self.feed.issuer_now() or 0.0))
        keys = token_keys(verified, key.revocation_key)
        return Seen(verified, keys, key, digest, verified.issued_at, verified.expires_at)

    def _key(self, form: UnverifiedJwt, wait: bool) -> Key:
        """The key by its name; its algorithm is its own, and the header may only agree (RFC 8725 section 3.1)."""
        header = form.header
        if header.alg not in self.algorithms:
            raise HeaderNotAcceptable(detail="alg")
        if not header.has_type(ACCESS_TOKEN_TYP):
            raise HeaderNotAcceptable(detail="typ")
        key = self.keys.get(header.kid, wait=wait)
        if key.alg != header.alg:
            raise HeaderNotAcceptable(detail="alg is not the key's")
        return key

    # -- at each use --------------------------------------------------------------------------

    def _checked_time(self, seen: Seen, age: float, issuer_now: float | None, max_staleness: float) -> float:
        """Refuses what is over; the age of what is known about this token.

        The issuer's time, signed and carried on by a clock that nobody sets, is better than the one on the wall. While
        the two disagree about a token and no news vouches for the first, it is for the policy to decide.
        """
        end = seen.expires_at + self.expected.leeway
        now = self.wall()
        if end <= (now if issuer_now is None else issuer_now):
            raise Expired
        if end <= now and (age > max_staleness or not self.counts_sleep):
            return inf
        return age if age <= max_staleness else min(age, self._own_age(seen))

    def _own_age(self, seen: Seen) -> float:
        """What was issued a moment ago is as fresh as itself: nothing older can have been meant for it.

        Except that of its key: whoever stole that writes any `iat`, so the key's own copy has to be as fresh.
        """
        since = self.feed.since(seen.issued_at)
        return inf if since is None else max(since + ISSUING, self.keys.age())

    def _must_ask(self, age: float, ready: bool, on_stale: OnStale) -> bool:
        if on_stale == "introspect" and self.can_ask:
            return True
        if isinstance(on_stale, AcceptUntil) and age <= on_stale.seconds:
            self.counters.decided("accepted")
            return False
        self.counters.decided("denied")
        raise Stale if ready else NotReady

    def _is_ready(self) -> bool:
        return self.feed.issuer_now() is not None
