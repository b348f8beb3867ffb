"""Opaque credentials: refresh tokens, session cookies, device cookies, client secrets.

Each is base64url of `version | key id | fields | tag`, the tag an HMAC over all before it, so that a forged one
is refused without asking the database, and can neither probe it nor end anybody's session. Sizes are multiples
of three bytes: no padding, no unused bits, one spelling only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from authserver.model.account import User
from authserver.model.time import DAY, Duration, Instant
from authserver.tokens.masterkey import MasterKey

VERSION = b"\x01"
SECRET_BYTES = 32
SALT_BYTES = 16
TAG_BYTES = 16
MARK_BYTES = 12
DEVICE_COOKIE_LIFE: Duration = 400 * DAY
"""Browsers keep no cookie longer."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


class MalformedHandle(ValueError):
    """Not one of our handles of this kind: wrong size, alphabet, version, key or tag."""


class _Seal:
    """Packs fields under a prefix and a tag of one purpose."""

    def __init__(self, master: MasterKey, purpose: str, *, key_id_bytes: int, fields_bytes: int) -> None:
        self._key = master.derive(f"{purpose} tag")
        self._prefix = VERSION + master.derive(f"{purpose} key id")[:key_id_bytes]
        self._size = len(self._prefix) + fields_bytes + TAG_BYTES
        if self._size % 3:
            raise ValueError("a handle's size is a multiple of 3, so that base64url needs no padding")

    def wrap(self, fields: bytes, bound_to: bytes = b"") -> str:
        """The handle's text. `bound_to` goes into the tag and not into the text."""
        body = self._prefix + fields
        return base64.urlsafe_b64encode(body + self._tag(body, bound_to)).decode("ascii")

    def unwrap(self, text: str, bound_to: bytes = b"") -> bytes:
        """The fields; raises MalformedHandle for whatever `wrap` did not make."""
        # The size first: what an access token is shown as must cost nothing here.
        if len(text) != self._size * 4 // 3 or _BASE64URL.fullmatch(text) is None:
            raise MalformedHandle("wrong size or alphabet")
        raw = base64.urlsafe_b64decode(text)
        body, tag = raw[:-TAG_BYTES], raw[-TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(body, bound_to)):
            raise MalformedHandle("wrong tag")
        if not body.startswith(self._prefix):
            raise MalformedHandle("wrong version or key")
        return body[len(self._prefix) :]

    def _tag(self, body: bytes, bound_to: bytes) -> bytes:
        return hmac.digest(self._key, body + bound_to, "sha256")[:TAG_BYTES]


# -- refresh tokens ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewHandle:
    """A refresh token to hand out, and what the family's row keeps of it."""

    token: str = field(repr=False)
    secret_hash: bytes = field(repr=False)
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefreshHandle:
    """A genuine refresh token, as presented; the family's row says whether it is still good."""

    family_id: str
    generation: int
    secret: bytes = field(repr=False)

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.secret).digest()


class RefreshHandles:
    """Refresh tokens whose successor anybody holding the parent (and we) can compute again, and nobody else:
    secret[n+1] = HMAC(K, secret[n] | salt[n+1]). Neither the rows nor the master key give a usable token."""

    def __init__(self, master: MasterKey) -> None:
        self._seal = _Seal(master, "refresh token", key_id_bytes=3, fields_bytes=16 + 4 + SECRET_BYTES)
        self._chain = master.derive("refresh token successor")

    def first(self, family_id: str) -> NewHandle:
        """Generation 0 of a new family."""
        return self._new(family_id, 0, secrets.token_bytes(SECRET_BYTES), self.new_salt())

    def new_salt(self) -> bytes:
        return secrets.token_bytes(SALT_BYTES)

    def parse(self, token: str) -> RefreshHandle:
        """Raises MalformedHandle for anything that does not carry our tag."""
        fields = self._seal.unwrap(token)
        return RefreshHandle(str(UUID(bytes=fields[:16])), int.from_bytes(fields[16:20]), fields[20:])

    def successor(self, handle: RefreshHandle, salt: bytes | None = None) -> NewHandle:
        """What `handle` is traded for under this salt: the same for the same arguments; None: under a new salt."""
        salt = self.new_salt() if salt is None else salt
        secret = hmac.digest(self._chain, handle.secret + salt, "sha256")
        return self._new(handle.family_id, handle.generation + 1, secret, salt)

    def _new(self, family_id: str, generation: int, secret: bytes, salt: bytes) -> NewHandle:
        token = self._seal.wrap(UUID(family_id).bytes + generation.to_bytes(4) + secret)
        return NewHandle(token, hashlib.sha256(secret).digest(), salt)


# -- session cookies --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionHandle:
    """A genuine session cookie, as presented."""

    session_id: str
    secret_hash: bytes = field(repr=False)
    csrf_token: str = field(repr=False)


class NewSessionHandle(NamedTuple):
    value: str
    secret_hash: bytes

    def __repr__(self) -> str:
        return "NewSessionHandle(...)"


class SessionHandles:
    """Values of the session cookie, and the CSRF token that goes with each: known to pages of the session, not
    to be had from the session's row, and another one after each log-in."""

    def __init__(self, master: MasterKey) -> None:
        self._seal = _Seal(master, "session cookie", key_id_bytes=1, fields_bytes=16 + SECRET_BYTES)
        self._csrf = master.derive("csrf token")

    def new(self, session_id: str) -> NewSessionHandle:
        secret = secrets.token_bytes(SECRET_BYTES)
        return NewSessionHandle(self._seal.wrap(UUID(session_id).bytes + secret), hashlib.sha256(secret).digest())

    def parse(self, value: str) -> SessionHandle:
        """Raises MalformedHandle for anything that does not carry our tag."""
        fields = self._seal.unwrap(value)
        secret = fields[16:]
        return SessionHandle(str(UUID(bytes=fields[:16])), hashlib.sha256(secret).digest(), self.csrf_token(secret))

    def csrf_token(self, secret: bytes) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._csrf, secret, "sha256")).rstrip(b"=").decode("ascii")


# -- device cookies ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Device:
    """A genuine device cookie, as presented; whether the account still stands as it did is to be asked."""

    id: bytes
    account_mark: bytes = field(repr=False)


class DeviceCookies:
    """Proof that somebody logged in to this account from this browser before. It opens nothing: it only keeps a
    flood of guesses from elsewhere from locking its holder out.

    It is bound to the account's name by its tag, so that another's is refused without asking the database, and to
    the account's revocation version by a mark: after a new password or a revocation of the user it is worth nothing.
    """

    def __init__(self, master: MasterKey) -> None:
        self._seal = _Seal(master, "device cookie", key_id_bytes=1, fields_bytes=16 + 8 + MARK_BYTES)
        self._marks = master.derive("device cookie account mark")

    def issue(self, user: User, now: Instant, device: Device | None = None) -> str:
        """For a browser that just logged in; one that was recognised stays the same device."""
        device_id = secrets.token_bytes(16) if device is None else device.id
        return self._seal.wrap(device_id + now.to_bytes(8) + self._mark(user), user.username_key.encode())

    def parse(self, value: str, user_key: str, now: Instant) -> Device | None:
        """None: not ours, of an account with another `username_key`, or older than 400 days."""
        try:
            fields = self._seal.unwrap(value, user_key.encode())
        except MalformedHandle:
            return None
        issued = int.from_bytes(fields[16:24])
        return Device(fields[:16], fields[24:]) if now - issued < DEVICE_COOKIE_LIFE else None

    def stands(self, device: Device, user: User) -> bool:
        """The account has the password, and the life, that it had when the cookie was issued."""
        return hmac.compare_digest(device.account_mark, self._mark(user))

    def _mark(self, user: User) -> bytes:
        return hmac.digest(self._marks, f"{user.id} {user.version}".encode(), "sha256")[:MARK_BYTES]


# -- handles that are looked up by their hash -------------------------------------------------


class NewReference(NamedTuple):
    text: str
    sha256: bytes

    def __repr__(self) -> str:
        return "NewReference(...)"


class References:
    """256 random bits under a tag of one purpose: authorization codes, pushed requests, device codes, opaque access
    tokens, registration tokens. A forged one never reaches the database, and one kind never passes for another."""

    def __init__(self, master: MasterKey, purpose: str) -> None:
        self._seal = _Seal(master, purpose, key_id_bytes=2, fields_bytes=SECRET_BYTES)

    def new(self) -> NewReference:
        """What to hand out, and what to keep."""
        secret = secrets.token_bytes(SECRET_BYTES)
        return NewReference(self._seal.wrap(secret), hashlib.sha256(secret).digest())

    def parse(self, text: str) -> bytes:
        """The SHA-256 that was kept; raises MalformedHandle for anything that does not carry our tag."""
        return hashlib.sha256(self._seal.unwrap(text)).digest()


# -- client secrets ---------------------------------------------------------------------------


def new_client_secret() -> tuple[str, bytes]:
    """A client secret of 256 random bits (base64url) to show once, and its SHA-256 to keep."""
    text = secrets.token_urlsafe(SECRET_BYTES)
    return text, client_secret_hash(text)


def client_secret_hash(secret: str) -> bytes:
    """SHA-256 suffices because the secrets are ours: 256 random bits cannot be guessed at any speed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
