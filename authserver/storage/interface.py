"""The promises that storage makes, one Protocol per aggregate.

Rules that hold for every verb:

* A verb that changes state is one transaction: the change, its revocation-outbox rows and its
  audit event are committed together or not at all.
* Expiry is tested by the verb itself against the `now` it is given; an expired row is absent.
* `None` or `False` means "no": unknown, dead, expired and disabled all look alike unless the
  verb says otherwise.
* Anything that keeps the database from answering raises `StorageUnavailable`, with nothing
  changed as far as the caller may assume; every verb is safe to try again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from authserver.model.account import User
from authserver.model.audit import AuditEvent
from authserver.model.client import Client, ClientSecret
from authserver.model.grant import Family, Versions
from authserver.model.key import SigningKey
from authserver.model.page import Page, PageRequest
from authserver.model.revocation import (
    EntryKind,
    OutboxEntry,
    RevocationOutcome,
    RevocationTarget,
    TokenFacts,
    TokenState,
)
from authserver.model.session import Session
from authserver.model.time import Duration, Instant


class StorageUnavailable(Exception):
    """The database cannot answer now: down, restarting, read-only, full, or its pool is exhausted."""


class AlreadyExists(Exception):
    """A unique name is taken."""


# -- clients ----------------------------------------------------------------------------------


class ClientLookup(Protocol):
    """The one verb the hot paths need; a cache may stand in front of it."""

    async def get(self, client_id: str) -> Client | None:
        """The client with its unexpired and expired secrets, enabled or not; None if unknown."""
        ...

    async def issuer_version(self) -> int:
        """The issuer's revocation version, the `i` of `rv`.

        A cache in front may be behind: the token then carries an old version and is refused
        everywhere, so staleness here fails closed.
        """
        ...


class ClientStore(ClientLookup, Protocol):
    async def add(self, client: Client, *, event: AuditEvent) -> None:
        """Store a new client; raises AlreadyExists when the id is taken."""
        ...

    async def update(self, client: Client, *, event: AuditEvent) -> bool:
        """Replace name, auth_method, grant_types, scopes, resources, audiences, redirect_uris,
        first_party, refresh_rotation, access_token_ttl, updated_at. Never `enabled`, `version`
        or secrets. False if unknown."""
        ...

    async def set_enabled(self, client_id: str, enabled: bool, *, at: Instant, event: AuditEvent) -> bool:
        """Disabling also moves the revocation version on, so that nothing issued before comes
        back to life when the client is enabled again. False if unknown."""
        ...

    async def add_secret(
        self, client_id: str, secret: ClientSecret, *, retire_others_at: Instant | None, event: AuditEvent
    ) -> bool:
        """Add a secret; the others end at `retire_others_at` (or earlier, where they did), None
        leaves them. False if the client is unknown."""
        ...

    async def remove_secret(self, client_id: str, secret_id: str, *, event: AuditEvent) -> bool: ...

    async def remove(self, client_id: str, *, at: Instant, event: AuditEvent) -> bool:
        """Delete the client and end its families; tokens it was issued are refused from now on
        (an outbox entry says so, whose version is past every one issued)."""
        ...

    async def list(self, page: PageRequest, *, query: str | None = None) -> Page[Client]:
        """By id. `query` matches a part of id or name, case-insensitively; wildcards are literal."""
        ...


# -- users ------------------------------------------------------------------------------------


class UserStore(Protocol):
    async def get(self, user_id: str) -> User | None: ...

    async def by_username(self, username_key: str) -> User | None: ...

    async def add(self, user: User, *, event: AuditEvent) -> None:
        """Raises AlreadyExists when username_key or id is taken."""
        ...

    async def set_enabled(self, user_id: str, enabled: bool, *, at: Instant, event: AuditEvent) -> bool:
        """Disabling also moves the revocation version on: every session, family and token of the
        user is dead at once, and stays so when the user is enabled again."""
        ...

    async def set_password(self, user_id: str, password_hash: str, *, at: Instant, event: AuditEvent) -> bool:
        """Also moves the revocation version on: whoever was logged in with the old password is out."""
        ...

    async def rehash_password(self, user_id: str, old_hash: str, new_hash: str) -> bool:
        """The same password under stronger parameters: revokes nothing; only if `old_hash` still stands."""
        ...

    async def remove(self, user_id: str, *, at: Instant, event: AuditEvent) -> bool:
        """Delete the user, sessions and families; an outbox entry refuses every token issued before."""
        ...

    async def list(self, page: PageRequest, *, query: str | None = None, enabled: bool | None = None) -> Page[User]:
        """By id, that is by age. `query` matches a part of the username, case-insensitively."""
        ...


# -- sessions and families --------------------------------------------------------------------


class SessionTouch(NamedTuple):
    """How far a use of a session moves its idle end."""

    idle: Duration
    """New idle end = now + idle, never past the absolute end."""
    interval: Duration
    """Written only when the last write is at least this long ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    user_id: str | None = None
    client_id: str | None = None
    include_dead: bool = False


class SessionStore(Protocol):
    """A session is *alive* while it is not ended, neither deadline has passed, its user is enabled,
    and user's and issuer's revocation versions are still those of its birth. One of kind "token"
    must also have a family that is alive."""

    async def begin(
        self, session: Session, family: Family | None, *, password_hash: str | None, event: AuditEvent
    ) -> Versions | None:
        """Store a log-in: the session and, in token mode, its first family, in one transaction.

        `user_version`, `client_version` and `issuer_version` of the arguments are ignored: the stored
        ones are read and written by the same statement that checks that the user is enabled, that
        `password_hash` (when given) is still the user's, and that the family's client is enabled.
        Returns them (client 0 without a family); None, with nothing written, when a check fails.
        """
        ...

    async def add_family(self, family: Family, *, event: AuditEvent | None) -> Versions | None:
        """Open another family under a living session; None, with nothing written, if the session, the user
        or the client is not alive. Holds the session's row, so that an end of the session
        either sees this family or makes this fail."""
        ...

    async def authenticate(
        self, session_id: str, secret_hash: bytes, *, now: Instant, touch: SessionTouch | None = None
    ) -> Session | None:
        """The living session of kind "browser" with this secret, moved on by `touch` if given."""
        ...

    async def get(self, session_id: str, *, now: Instant) -> Session | None:
        """The session if it is alive."""
        ...

    async def end(self, session_id: str, *, at: Instant, reason: str, event: AuditEvent) -> RevocationOutcome:
        """End it and its families, one outbox entry per living family. Idempotent."""
        ...

    async def end_others(
        self, user_id: str, keep_session_id: str, *, at: Instant, reason: str, event: AuditEvent
    ) -> RevocationOutcome:
        """End every living session of the user but one."""
        ...

    async def list(self, page: PageRequest, where: SessionFilter, *, now: Instant) -> Page[Session]:
        """Newest first; only living ones unless `include_dead`: then `alive` and `dead_reason` say which are over
        and why, also those that a revocation of user, client or everybody ended without touching their rows.
        `last_seen_at` of a session of kind "token"
        is the latest rotation of its families."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One presentation of a genuine refresh token (its tag was checked), and the successor it would get."""

    family_id: str
    client_id: str
    presented_hash: bytes = field(repr=False)
    next_hash: bytes = field(repr=False)
    next_salt: bytes = field(repr=False)
    now: Instant
    idle: Duration
    grace: Duration
    rotate: bool = True
    """False for a client whose refresh tokens do not rotate: the same checks, nothing moves but
    the idle end (and that lazily)."""


RotationResult = Literal["rotated", "retry", "unchanged"]
RefusalReason = Literal["reused", "revoked", "session_ended", "expired", "unknown"]


class Rotated(NamedTuple):
    family: Family
    """As it stands after the statement: `salt` and `generation` are those of the live successor."""
    result: RotationResult


class RotationRefused(NamedTuple):
    reason: RefusalReason
    """"unknown": no such family, or another client's; the only one that may not be told to the client."""
    family: Family | None = None


class FamilyStore(Protocol):
    async def get(self, family_id: str) -> Family | None:
        """The row as it is, dead or alive; None if unknown."""
        ...

    async def is_alive(self, family_id: str, *, now: Instant) -> bool:
        """Neither dead nor expired, its user and client enabled at its versions, its session not ended."""
        ...

    async def rotate(self, rotation: Rotation, *, reuse_event: AuditEvent) -> Rotated | RotationRefused:
        """Trade the presented secret for its successor. However many race, exactly one gets "rotated";
        the others, and whoever presents the immediate parent within the grace, get "retry" with the *same*
        successor. Any older secret is reuse: the family is dead, its outbox entry and
        `reuse_event` (with the family's user and session filled in) are committed, before this returns "reused";
        nobody else's family is touched.

        Only for a family that is alive (see `is_alive`) and belongs to `client_id`. A rotation never
        moves the absolute end, and the idle end never passes it. A family that is dead gets no grace.
        """
        ...

    async def end(
        self, family_id: str, *, client_id: str | None, at: Instant, reason: str, event: AuditEvent
    ) -> RevocationOutcome:
        """End one family, if it belongs to `client_id` (None: whoever's). Idempotent."""
        ...


# -- revocation -------------------------------------------------------------------------------


class RevocationStore(Protocol):
    async def revoke(
        self, target: RevocationTarget, *, at: Instant, reason: str, event: AuditEvent
    ) -> RevocationOutcome:
        """Take something back, with its outbox entries and its audit event, in one transaction.

        The event of an ended family or session gets the user, client and session of its row.

        jti: remembered until it expires. family: dead. session: ended with its families.
        user, client, all: the revocation version moves on by one, which kills whatever was born under
        an older one (a constant cost, whatever their number). kid: the key is withdrawn from the JWKS
        and everything it signed is refused; the active key is only withdrawn by a rotation.
        """
        ...

    async def preview(self, target: RevocationTarget, *, now: Instant) -> RevocationOutcome:
        """What `revoke` would end, changing nothing; `sequence` is None."""
        ...

    async def check(self, facts: TokenFacts) -> TokenState:
        """One statement, six independent tests, any of which denies: kid, jti, sid, and the versions of
        subject, client and issuer; also a user or client that is disabled or gone. Unknown denies."""
        ...

    async def position(self, kind: EntryKind, value: str) -> int | None:
        """The id of the last outbox entry about this value: where in the log it was taken back."""
        ...

    async def outbox(self, *, after: int, limit: int) -> Sequence[OutboxEntry]:
        """Entries by id; on PostgreSQL a smaller id may commit later than a larger one."""
        ...


# -- keys -------------------------------------------------------------------------------------


class KeyStore(Protocol):
    async def all(self) -> Sequence[SigningKey]:
        """Every key that is not purged, by creation."""
        ...

    async def add_announced(self, key: SigningKey, *, event: AuditEvent) -> bool:
        """Publish a key that does not sign yet. At most one is announced; False if there is one."""
        ...

    async def activate(
        self, kid: str, *, instead_of: str | None, at: Instant, remove_at: Instant, event: AuditEvent
    ) -> bool:
        """Make the announced key `kid` the one that signs and retire `instead_of` (None: no key is active),
        which stays published until `remove_at`. One atomic step: of many racing callers exactly one gets True,
        and there is never more or, once there was one, less than one active key."""
        ...

    async def replace_now(
        self, key: SigningKey, *, instead_of: str | None, at: Instant, reason: str, event: AuditEvent
    ) -> bool:
        """Emergency: `key` (not stored yet) signs from now on; `instead_of`, and a key that was announced, are
        revoked, with an outbox entry each. True for exactly one of many racing callers."""
        ...

    async def purge(self, *, now: Instant) -> int:
        """Delete retired and revoked keys whose `remove_at` has passed."""
        ...


# -- throttling, audit, housekeeping ----------------------------------------------------------


class ThrottleStore(Protocol):
    """A generic cell rate limiter per bucket, in the database: it survives restarts and holds on all nodes."""

    async def admit(self, bucket: bytes, *, burst: int, interval: Duration, now: Instant) -> Duration:
        """Count one attempt. 0: admitted; else how long until the next one would be, and nothing was counted.
        `burst` attempts at once, then one per `interval`. One atomic statement: racing callers cannot
        get more than `burst` admitted."""
        ...

    async def refund(self, bucket: bytes, *, interval: Duration) -> None:
        """Take one counted attempt back (it was a success)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    type: str | None = None
    types: tuple[str, ...] = ()
    """Any of these; empty: every type."""
    actor: str | None = None
    user_id: str | None = None
    client_id: str | None = None
    session_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None


class AuditStore(Protocol):
    async def append(self, event: AuditEvent) -> None:
        """For events that change nothing else, such as a failed log-in."""
        ...

    async def list(self, page: PageRequest, where: AuditFilter) -> Page[AuditEvent]:
        """Newest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """How long the dead are kept, for people who ask what happened."""

    token_ttl: Duration
    """The longest access-token lifetime: nothing that could still deny a token is deleted."""
    keep_dead: Duration
    keep_audit: Duration


class MaintenanceStore(Protocol):
    async def purge(self, keep: Housekeeping, *, now: Instant) -> dict[str, int]:
        """Delete what can no longer matter, in small batches; rows deleted (or partitions dropped), by table.
        On PostgreSQL it also creates the partitions of the coming weeks."""
        ...

    async def ping(self) -> None:
        """Raises StorageUnavailable unless the database answers."""
        ...

    async def config_version(self) -> int:
        """Moves on with every change to clients, secrets, keys and the issuer's version: a cheap
        question for whoever caches those."""
        ...

    async def now(self) -> Instant:
        """The database's clock, so that all nodes agree on deadlines."""
        ...

    async def schema_state(self) -> Literal["current", "missing", "behind", "ahead"]:
        """Where the schema stands against this code: only "current" may serve ("ahead" too:
        each migration leaves the code before it working)."""
        ...


# -- cache and bus: faster or sooner, never the truth -------------------------------------------


class Cache(Protocol):
    """May forget anything at any time and answers None or 0 when it cannot answer; never raises."""

    async def get(self, key: str) -> bytes | None: ...

    async def set(self, key: str, value: bytes, *, ttl: Duration) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def count(self, key: str, *, window: Duration) -> int:
        """Add one and return the sum; forgotten `window` after the first. When the shared cache is down,
        the process counts for itself."""
        ...


class Bus(Protocol):
    """Says "look again" to the other processes. Messages may be lost, doubled or reordered."""

    async def publish(self, channel: str, message: bytes = b"") -> None:
        """Best effort, bounded in time; never raises."""
        ...

    def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Messages from now on. An empty one is delivered after each (re)connection, because
        anything may have been missed. Ends only by cancellation."""
        ...

    @property
    def connected(self) -> bool: ...
