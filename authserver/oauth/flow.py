"""What a browser has to do next, decided in one place and by a pure function (OpenID Connect Core section 3.1.2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from authserver.accounts.login import PASSWORD_ACR as PASSWORD_ACR
from authserver.model.authorization import AuthorizationRequest, Consent
from authserver.model.client import Client
from authserver.model.session import Session
from authserver.model.time import SECOND, Instant
from authserver.oauth.errors import (
    AccountSelectionRequired,
    ConsentRequired,
    LoginRequired,
    OAuthError,
    UnmetAuthenticationRequirements,
)
from authserver.oauth.user_claims import SCOPES, USER_CLAIMS

ACR_VALUES: Final = (PASSWORD_ACR,)
"""Every `acr` that a log-in at this server can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The user's yes to this very request."""

    user_id: str
    scope: tuple[str, ...]
    """What they left in of what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRequest:
    """A request that waits for its user, in one browser."""

    request: AuthorizationRequest
    client: Client
    """As it is now, not as it was when the request came."""
    started_at: Instant
    """When the request came: a log-in after that belongs to it."""
    approval: Approval | None = None
    pushed: bytes | None = field(default=None, repr=False)
    """Hash of the pushed request that it is (RFC 9126)."""
    browser: str = field(default="", repr=False)
    """The value of the flow cookie: it is for that browser's eyes alone."""
    refusal: OAuthError | None = None
    """What is wrong with it; then `request` is only what was right."""
    id: str = ""
    """Random; "" until a page of ours stands between the request and its answer."""

    @property
    def needs_consent(self) -> bool:
        """What it gives stands on a consent, and must not be given once that is withdrawn."""
        return self.approval is not None or not self.client.first_party


@dataclass(frozen=True, slots=True)
class LogIn:
    """Show the log-in page; also where somebody is logged in and has to once more, or somebody else has to."""


@dataclass(frozen=True, slots=True)
class AskConsent:
    """Show the consent page, to the user of this session."""

    session: Session


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error; there is nothing that the user could do."""

    error: OAuthError


@dataclass(frozen=True, slots=True)
class Issue:
    """Answer with a code for the user of this session."""

    session: Session
    scope: tuple[str, ...]


Step: TypeAlias = LogIn | AskConsent | Refuse | Issue


def next_step(
    pending: PendingRequest,
    session: Session | None,
    consent: Consent | None,
    *,
    subject: str | None = None,
    now: Instant,
) -> Step:
    """`session` and `consent` (what its user allowed this client before) are those of this moment; `subject` is the
    `sub` by which the client knows the session's user."""
    if pending.refusal is not None and _may_be_told(pending, session):
        return Refuse(pending.refusal)
    if session is None:
        return _or_refuse(LogIn(), pending, LoginRequired("nobody is logged in"))
    refused = _unmet_for_good(pending, session, subject)
    if refused is not None:
        return Refuse(refused)
    if not _is_good_enough(pending, session, subject, now):
        return _or_refuse(LogIn(), pending, _why_again(pending))
    granted = pending.request.scope if pending.approval is None else pending.approval.scope
    if _has_consent(pending, session, consent, granted):
        return Issue(session, granted)
    return _or_refuse(AskConsent(session), pending, ConsentRequired("the user has not allowed this yet"))


def _may_be_told(pending: PendingRequest, session: Session | None) -> bool:
    """A client that came by itself may be anybody's: a link to this server does not lead to its address before
    somebody has logged in, unless no page may be shown (OAuth 2.1 section 7.12.2)."""
    return session is not None or pending.client.origin == "admin" or "none" in pending.request.prompt


def _or_refuse(step: Step, pending: PendingRequest, error: OAuthError) -> Step:
    """prompt=none shows no page, whatever the reason (OpenID Connect Core section 3.1.2.6)."""
    return Refuse(error) if "none" in pending.request.prompt else step


def _why_again(pending: PendingRequest) -> OAuthError:
    if "select_account" in pending.request.prompt:
        return AccountSelectionRequired("the user must choose an account")
    return LoginRequired("the user must log in again")


# -- is this log-in the one that was asked for ------------------------------------------------


def _is_good_enough(pending: PendingRequest, session: Session, subject: str | None, now: Instant) -> bool:
    return (
        _is_recent(pending, session, now)
        and _is_the_user(pending.request, subject)
        and _has_acr(pending.request, session)
    )


def _unmet_for_good(pending: PendingRequest, session: Session, subject: str | None) -> OAuthError | None:
    """What another log-in will not change: it was asked for, and this is what came of it."""
    request, fresh = pending.request, session.auth_time >= pending.started_at
    wanted = essential_acrs(request.claims)
    if wanted and (fresh or not wanted & set(ACR_VALUES)) and not _has_acr(request, session):
        return UnmetAuthenticationRequirements("none of the acr values that are essential can be had here")
    if fresh and not _is_the_user(request, subject):
        return LoginRequired("another user than the one asked for has logged in")
    return None


def _is_recent(pending: PendingRequest, session: Session, now: Instant) -> bool:
    """A log-in since the request came is always recent: max_age=0 would be met by none otherwise."""
    if session.auth_time >= pending.started_at:
        return True
    if "login" in pending.request.prompt or "select_account" in pending.request.prompt:
        return False
    max_age = pending.request.max_age
    return max_age is None or now - session.auth_time <= max_age * SECOND


def _is_the_user(request: AuthorizationRequest, subject: str | None) -> bool:
    """Whom id_token_hint and the claim `sub` name (OpenID Connect Core sections 3.1.2.2 and 5.5.1)."""
    wanted = wanted_subjects(request)
    return not wanted or (subject is not None and wanted == {subject})


def _has_acr(request: AuthorizationRequest, session: Session) -> bool:
    wanted = essential_acrs(request.claims)
    return not wanted or session.acr in wanted


def wanted_subjects(request: AuthorizationRequest) -> set[str]:
    """Every `sub` that the request insists on: more than one can never be met."""
    named = {request.id_token_hint} if request.id_token_hint is not None else set()
    for where in ("id_token", "userinfo"):
        member = _member(request.claims, where, "sub")
        named |= {value for value in (member.get("value"),) if isinstance(value, str)}
    return named


def essential_acrs(claims: Mapping[str, object]) -> set[str]:
    """The `acr` values without which there is to be no answer (OpenID Connect Core section 5.5.1.1)."""
    member = _member(claims, "id_token", "acr")
    if member.get("essential") is not True:
        return set()
    values = member.get("values")
    listed: Collection[object] = values if isinstance(values, list | tuple) else ()
    return {value for value in (*listed, member.get("value")) if isinstance(value, str)}


def _member(claims: Mapping[str, object], where: str, name: str) -> Mapping[str, object]:
    asked = claims.get(where)
    member = asked.get(name) if isinstance(asked, Mapping) else None
    return member if isinstance(member, Mapping) else {}


# -- has the user agreed ----------------------------------------------------------------------


def _has_consent(pending: PendingRequest, session: Session, consent: Consent | None, granted: tuple[str, ...]) -> bool:
    """A yes to this request counts if it is this user's and was not withdrawn since."""
    request, approval = pending.request, pending.approval
    covered = consent is not None and consent.covers(granted, request.resources, request.authorization_details)
    if approval is not None:
        return approval.user_id == session.user_id and covered
    if "consent" in request.prompt:
        return False
    client = pending.client
    if not _is_assured(client, request.redirect_uri):
        # Who has just logged in for this client has seen what asks, and is not asked twice by one of the house's own.
        return client.first_party and session.auth_time >= pending.started_at
    return client.first_party or (covered and _is_same(client, consent) and _names_no_more(request.claims, granted))


def _names_no_more(claims: Mapping[str, object], granted: tuple[str, ...]) -> bool:
    """What a client asks to be told by name is not remembered: the user is asked each time, unless the scopes tell it
    anyway."""
    told = {"sub", *(claim for scope in granted for claim in SCOPES.get(scope, ()))}
    members = [member for member in claims.values() if isinstance(member, Mapping)]
    return all(name in told or name not in USER_CLAIMS for member in members for name in member)


def _is_same(client: Client, consent: Consent | None) -> bool:
    """A client that describes itself may have become another since: its name and redirect URIs are what was agreed
    to."""
    return client.origin == "admin" or (consent is not None and consent.updated_at >= client.updated_at)


def _is_assured(client: Client, redirect_uri: str) -> bool:
    """Nobody else gets this client's answers; a program on the same machine can pose as a public client whose
    redirect URI is not https, so nothing is given to it without its user (RFC 8252 section 8.6)."""
    return not client.is_public or redirect_uri.startswith("https://")
