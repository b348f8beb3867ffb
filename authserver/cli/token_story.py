"""`token explain`: where a token came from, whether it is alive, which rule refuses it, who did that and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authserver.administration.views import when
from authserver.cli.token_events import events_about
from authserver.cli.token_lineage import actors, lineage
from authserver.cli.token_record import RULES, Story
from authserver.cli.token_rows import Surroundings
from authserver.model.errors import InvalidToken, NotFound
from authserver.model.time import SECOND
from authserver.tokens.claims import read_claims
from authserver.tokens.handles import MalformedHandle
from authserver.tokens.id_token import past_id_token
from authserver.tokens.past import read_past, unverified_parts

if TYPE_CHECKING:
    from authserver.model.grant import Family
    from authserver.model.key import SigningKey
    from authserver.services import Services
    from authserver.tokens.claims import AccessTokenClaims
    from authserver.tokens.handles import RefreshHandle


async def story_of(services: Services, text: str) -> Story:
    """Of a token of whatever kind; raises InvalidToken for a JWT that this issuer never signed or a token that is no
    longer stored, NotFound for anything else."""
    if "." in text:
        claims = unverified_parts(text)[1]
        is_id_token = "rv" not in claims and "client_id" not in claims
        return await (_of_id_token(services, text) if is_id_token else _of_jwt(services, text))
    opaque, codes = services.issuance.opaque, services.authorization_flow.codes
    try:
        return await _of_refresh_token(services, services.refresh_handles.parse(text))
    except MalformedHandle:
        if opaque.owns(text):
            return await _of_opaque_token(services, text)
    try:
        return await _of_code(services, codes.parse(text))
    except MalformedHandle:
        raise NotFound("this is no token of this server") from None


async def _of_jwt(services: Services, text: str) -> Story:
    keys = await services.key_store.all()
    claims = read_past(text, keys, services.issuer)
    return await _of_access_token(services, claims, next(key for key in keys if key.kid == claims.kid))


async def _of_opaque_token(services: Services, text: str) -> Story:
    kept = await services.issuance.opaque.find(text, now=0)  # expired ones too
    if kept is None:
        raise InvalidToken("an opaque access token of this server that is no longer stored: it has expired")
    return await _of_access_token(services, read_claims(kept.claims, kid=None), None)


async def _of_access_token(services: Services, claims: AccessTokenClaims, key: SigningKey | None) -> Story:
    family = await services.families.get(claims.sid) if claims.sid else None
    user_id = claims.sub if claims.sub != claims.client_id else None
    rows = await Surroundings.of(services, claims.client_id, user_id, family)
    state = await services.revocations.check(claims.facts)
    denying = {
        "expired": claims.exp <= rows.now,
        "kid": key is not None and key.state == "revoked",
        "jti": state.reason == "jti",
        "session": claims.sid is not None and rows.is_over,
        **rows.outrun(claims.rv, has_user=user_id is not None),
    }
    # What the server itself says counts, also where the rows as they are now would not show why.
    if not state.alive and state.reason in RULES:
        denying[state.reason] = True
    names = {claims.jti, claims.kid, claims.sid, *_log_in_of(family)}
    since = claims.iat if family is None else min(claims.iat, family.created_at)
    events = await events_about(services, since, names, claims.client_id, user_id, rows.session)
    story = Story(kind="access_token", alive=state.alive and claims.exp > rows.now, token=_access_facts(claims))
    story.tell(rows, events, denying, key)
    story.lineage = lineage(rows, events, claims)
    return story


async def _of_refresh_token(services: Services, handle: RefreshHandle) -> Story:
    family = await services.families.get(handle.family_id)
    if family is None:  # purged, or its user or client removed
        raise InvalidToken("a refresh token of this server whose family is no longer stored")
    rows = await Surroundings.of(services, family.client_id, family.user_id, family)
    current = handle.hash == family.cur_hash
    denying = {
        "expired": family.dead_at is None and min(family.idle_until, family.abs_until) <= rows.now,
        "session": family.dead_at is not None or (rows.session is not None and rows.session.dead_at is not None),
        **rows.outrun(family.versions, has_user=True),
        "superseded": not current,
    }
    names: set[str | None] = {family.id, *_log_in_of(family)}
    events = await events_about(services, family.created_at, names, family.client_id, family.user_id, rows.session)
    token: dict[str, object] = {"generation": handle.generation, "family_id": family.id, "bound_to": family.bound_to}
    alive = current and await services.families.is_alive(family.id, now=rows.now)
    story = Story(kind="refresh_token", alive=alive, token=token)
    story.tell(rows, events, denying)
    story.lineage = lineage(rows, events)
    return story


async def _of_id_token(services: Services, text: str) -> Story:
    """Nobody asks whether an id token was revoked; alive is one whose log-in is, and which has not expired."""
    keys = await services.key_store.all()
    kid, claims = past_id_token(text, keys, services.issuer)
    family = await services.families.get(claims["sid"]) if isinstance(claims.get("sid"), str) else None
    rows = await Surroundings.of(services, claims["aud"], family.user_id if family else None, family)
    key = next(key for key in keys if key.kid == kid)
    versions = rows.outrun(family.versions, has_user=True) if family else {}
    denying = {
        "expired": claims["exp"] * SECOND <= rows.now,
        "kid": key.state == "revoked",
        "session": rows.is_over,
        **versions,
    }
    since = claims["iat"] * SECOND if family is None else family.created_at
    names, user_id = {kid, claims.get("sid"), *_log_in_of(family)}, rows.user.id if rows.user else None
    events = await events_about(services, since, names, claims["aud"], user_id, rows.session)
    said = {name: claims.get(name) for name in ("sub", "sid", "nonce", "acr", "amr")}
    token = {"client_id": claims["aud"], **said, "expires_at": when(claims["exp"] * SECOND), "kid": kid}
    story = Story(kind="id_token", alive=not any(denying.values()), token=token)
    story.tell(rows, events, denying, key)
    story.lineage = lineage(rows, events)
    return story


async def _of_code(services: Services, handle_hash: bytes) -> Story:
    code = await services.authorizations.code(handle_hash)
    if code is None:
        raise InvalidToken("an authorization code of this server that is no longer stored")
    family, request = await services.families.get(code.family_id), code.request
    rows = await Surroundings.of(services, request.client_id, code.grantor.user_id, family, code.grantor.session_id)
    denying = {
        "expired": code.expires_at <= rows.now,
        "spent": code.spent_at is not None,
        "session": rows.session is None or not rows.session.alive,
        "subject": rows.user is None or not rows.user.enabled,
        "client": rows.client is None or not rows.client.enabled,
    }
    user_id = code.grantor.user_id
    events = await events_about(services, code.created_at, {code.family_id}, request.client_id, user_id, rows.session)
    token: dict[str, object] = {
        "client_id": request.client_id,
        "scope": " ".join(request.scope),
        "redirect_uri": request.redirect_uri,
        "issued_at": when(code.created_at),
        "expires_at": when(code.expires_at),
        "spent_at": when(code.spent_at),
        "family_id": code.family_id,
    }
    story = Story(kind="authorization_code", alive=not any(denying.values()), token=token)
    story.tell(rows, events, denying)
    story.lineage = lineage(rows, events)
    return story


def _log_in_of(family: Family | None) -> set[str]:
    """Offline access has a family beside that of its log-in, which the code's events name."""
    return {family.terms.sid} if family is not None and family.terms.sid else set()


def _access_facts(claims: AccessTokenClaims) -> dict[str, object]:
    return {
        "format": "opaque" if claims.kid is None else "jwt",
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
        "bound_to": None if claims.confirmation is None else str(claims.confirmation),
        "actors": actors(claims.act),
        "grant": "client_credentials" if claims.sid is None else "log-in",
    }
