"""`token explain`: where a token came from, whether it is alive, which rule refuses it, who did that and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from authserver.administration.client_view import client_body
from authserver.administration.views import key_body, session_body, user_body, when
from authserver.cli.runtime import every
from authserver.cli.token_events import events_about
from authserver.model.errors import InvalidToken
from authserver.model.grant import Family, Versions
from authserver.model.time import Instant
from authserver.storage.interface import SessionFilter
from authserver.tokens.past import read_past

if TYPE_CHECKING:
    from authserver.model.session import Session
    from authserver.services import Services
    from authserver.tokens.claims import AccessTokenClaims
    from authserver.tokens.handles import RefreshHandle

RULES = {
    "expired": "its lifetime is over",
    "kid": "its signing key was withdrawn",
    "jti": "this very token was revoked",
    "session": "its session or refresh family has ended",
    "subject": "everything of its user was revoked, or the user was disabled or removed, after it was issued",
    "client": "everything of its client was revoked, or the client was disabled or removed, after it was issued",
    "issuer": "everything of this issuer was revoked after it was issued",
    "superseded": "a newer refresh token of its family has been used",
}


@dataclass(kw_only=True)
class Story:
    """Everything known about one token, in the shapes of the admin API."""

    kind: str
    alive: bool = False
    refused_by: list[str] = field(default_factory=list)
    token: dict[str, object] = field(default_factory=dict)
    key: dict[str, object] | None = None
    client: dict[str, object] | None = None
    user: dict[str, object] | None = None
    session: dict[str, object] | None = None
    family: dict[str, object] | None = None
    events: list[dict[str, object]] = field(default_factory=list)

    def document(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {
            "kind": self.kind,
            "alive": self.alive,
            "refused_by": [{"rule": rule, "meaning": RULES[rule]} for rule in self.refused_by],
            "token": self.token,
            "key": self.key,
            "client": self.client,
            "user": self.user,
            "session": self.session,
            "family": self.family,
            "events": self.events,
        }


async def of_access_token(services: Services, text: str) -> Story:
    """Raises InvalidToken for a token that this issuer never signed."""
    keys = await services.key_store.all()
    claims = read_past(text, keys, services.issuer)
    key = next(key for key in keys if key.kid == claims.kid)
    story = Story(kind="access_token", token=_access_facts(claims), key=key_body(key))
    family = await services.families.get(claims.sid) if claims.sid else None
    user_id = claims.sub if claims.sub != claims.client_id else None
    session = await _surroundings(services, story, claims.client_id, user_id, family)
    state = await services.revocations.check(claims.facts)
    expired = claims.exp <= services.now()
    story.alive = state.alive and not expired
    story.refused_by = [
        rule
        for rule, denies in {
            "expired": expired,
            "kid": key.state == "revoked",
            "jti": state.reason == "jti",
            "session": claims.sid is not None and (family is None or _is_over(family, session, services.now())),
            **await _outrun(services, story, claims.rv, has_user=user_id is not None),
        }.items()
        if denies
    ]
    # What the server itself says counts, also where the rows as they are now would not show why.
    if not state.alive and state.reason in RULES and state.reason not in story.refused_by:
        story.refused_by.append(state.reason)
    names = {claims.jti, claims.kid, claims.sid}
    since = claims.iat if family is None else min(claims.iat, family.created_at)
    story.events = await events_about(services, since, names, claims.client_id, user_id, session)
    return story


async def of_refresh_token(services: Services, handle: RefreshHandle) -> Story:
    """Raises InvalidToken when its family is gone: purged, or its user or client removed."""
    family = await services.families.get(handle.family_id)
    if family is None:
        raise InvalidToken("a refresh token of this server whose family is no longer stored")
    story = Story(kind="refresh_token", token={"generation": handle.generation, "family_id": family.id})
    session = await _surroundings(services, story, family.client_id, family.user_id, family)
    now = services.now()
    current = handle.hash == family.cur_hash
    outrun = await _outrun(services, story, family.versions, has_user=True)
    story.refused_by = [
        rule
        for rule, denies in {
            "expired": family.dead_at is None and min(family.idle_until, family.abs_until) <= now,
            "session": family.dead_at is not None or (session is not None and session.dead_at is not None),
            **outrun,
            "superseded": not current,
        }.items()
        if denies
    ]
    story.alive = current and await services.families.is_alive(family.id, now=now)
    story.events = await events_about(
        services, family.created_at, {family.id}, family.client_id, family.user_id, session
    )
    return story


async def _surroundings(
    services: Services, story: Story, client_id: str, user_id: str | None, family: Family | None
) -> Session | None:
    client = await services.clients.get(client_id)
    story.client = client_body(client) if client else None
    user = await services.users.get(user_id) if user_id else None
    story.user = user_body(user) if user else None
    session = await _session(services, family) if family else None
    story.session = session_body(session) if session else None
    story.family = _family_body(family) if family else None
    return session


async def _session(services: Services, family: Family) -> Session | None:
    """The session of a family, dead or alive."""
    where = SessionFilter(user_id=family.user_id, include_dead=True)
    listing = partial(services.session_store.list, where=where, now=services.now())
    async for session in every(listing):
        if session.id == family.session_id:
            return session
    return None


def _is_over(family: Family, session: Session | None, now: Instant) -> bool:
    dead = family.dead_at is not None or (session is not None and session.dead_at is not None)
    return dead or min(family.idle_until, family.abs_until) <= now


async def _outrun(services: Services, story: Story, born: Versions, *, has_user: bool) -> dict[str, bool]:
    """Which of subject, client and issuer have been revoked (or switched off) since."""
    return {
        "subject": has_user and _moved_on(story.user, born.subject),
        "client": _moved_on(story.client, born.client),
        "issuer": await services.clients.issuer_version() > born.issuer,
    }


def _moved_on(row: Mapping[str, object] | None, born: int) -> bool:
    return row is None or not row["enabled"] or row["revocation_version"] != born


def _access_facts(claims: AccessTokenClaims) -> dict[str, object]:
    return {
        "jti": claims.jti,
        "subject": claims.sub,
        "client_id": claims.client_id,
        "audience": list(claims.aud),
        "scope": " ".join(claims.scope),
        "issued_at": when(claims.iat),
        "expires_at": when(claims.exp),
        "kid": claims.kid,
        "sid": claims.sid,
        "rv": str(claims.rv),
        "grant": _grant(claims),
    }


def _grant(claims: AccessTokenClaims) -> str:
    return "client_credentials" if claims.sid is None else "log-in"


def _family_body(family: Family) -> dict[str, object]:
    return {
        "family_id": family.id,
        "session_id": family.session_id,
        "generation": family.generation,
        "scope": " ".join(family.scope),
        "created_at": when(family.created_at),
        "rotated_at": when(family.rotated_at),
        "idle_until": when(family.idle_until),
        "abs_until": when(family.abs_until),
        "ended_at": when(family.dead_at),
        "ended_reason": family.dead_reason,
    }


__all__ = ["RULES", "Story", "of_access_token", "of_refresh_token"]
