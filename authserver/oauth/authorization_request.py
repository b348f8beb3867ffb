"""From parameters to an `AuthorizationRequest`: a table of short checks, in the order in which they must run.

Errors before `redirect_uri` is known to be the client's own stay here, those after it are told to the client
(RFC 6749 section 4.1.2.1). A parameter without a value counts as left out, a repeated one is refused, an unknown one
is ignored; `Form` sees to that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from authserver.model.authorization import AuthorizationRequest, ResponseMode
from authserver.model.client import Client
from authserver.oauth.authorization_details import read_details
from authserver.oauth.claims_request import read_claims_request
from authserver.oauth.errors import InvalidRequest, UnauthorizedClient, UnsupportedResponseType
from authserver.oauth.form import Form
from authserver.oauth.pkce import read_challenge
from authserver.oauth.redirect_uris import MAX_LENGTH, is_registered, the_only_one
from authserver.oauth.scopes import audience, grant_scope

RESPONSE_MODES: Final = ("query", "form_post")
PROMPTS: Final = ("none", "login", "consent", "select_account")

MAX_STATE = 2048
MAX_SHORT = 512
MAX_LISTED = 20
"""Items of a list that is separated by spaces."""
_MAX_AGE = re.compile(r"[0-9]{1,9}")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_LOCALE = re.compile(r"[A-Za-z0-9-]{1,35}")

Via: TypeAlias = Literal["parameters", "push", "challenge"]
"""How it came: to the authorization endpoint as it is, pushed (RFC 9126), or from a first-party application's own
screens, which no redirect leads back to."""


class ReturnAddress(NamedTuple):
    """Where the answer goes, as far as it is known to be right."""

    redirect_uri: str
    response_mode: ResponseMode = "query"
    state: str | None = None


@dataclass(slots=True)
class Draft:
    """A request while it is read: what the checks so far have settled."""

    client: Client
    form: Form = field(repr=False)
    issuer: str
    via: Via = "parameters"
    signed: bool = False
    """The parameters come from a request object."""
    address: ReturnAddress | None = None
    """Known once `redirect_uri` has passed."""
    settled: dict[str, Any] = field(default_factory=dict, repr=False)
    """Fields of the `AuthorizationRequest`."""

    def finished(self) -> AuthorizationRequest:
        if self.address is not None:
            self.settled |= self.address._asdict()
        return AuthorizationRequest(client_id=self.client.id, **self.settled)

    def short(self, name: str, longest: int = MAX_SHORT) -> str | None:
        value = self.form.get(name)
        if value is not None and len(value) > longest:
            raise InvalidRequest(f"{name} is too long")
        return value

    def listed(self, name: str) -> tuple[str, ...]:
        items = tuple(dict.fromkeys((self.short(name, MAX_LISTED * MAX_SHORT) or "").split()))
        if len(items) > MAX_LISTED:
            raise InvalidRequest(f"{name} has too many items")
        return items


# -- before anything may be redirected --------------------------------------------------------


def grant_type(draft: Draft) -> None:
    if "authorization_code" not in draft.client.grant_types:
        raise UnauthorizedClient("this client is not registered for authorization_code")


def redirect_uri(draft: Draft) -> None:
    if draft.via == "challenge":
        draft.settled |= {"redirect_uri": "", "redirect_uri_given": False}
        return
    given = draft.form.get("redirect_uri")
    uri = given or the_only_one(draft.client)
    if uri is None:
        raise InvalidRequest("redirect_uri is missing, and this client has not exactly one")
    if given is not None and (len(given) > MAX_LENGTH or not is_registered(draft.client, given)):
        raise InvalidRequest(
            "redirect_uri is not registered for this client; it must be the same to the last character"
        )
    draft.address = ReturnAddress(uri)
    draft.settled["redirect_uri_given"] = given is not None


# -- from here on errors go to the client -----------------------------------------------------


def state(draft: Draft) -> None:
    value = draft.short("state", MAX_STATE)
    if draft.address is not None:
        draft.address = draft.address._replace(state=value)


def response_mode(draft: Draft) -> None:
    """`fragment` would put a code where every script of the page can read it."""
    asked = draft.form.get("response_mode")
    if asked is not None and asked not in RESPONSE_MODES:
        raise InvalidRequest("response_mode must be query or form_post")
    if asked == "form_post" and draft.address is not None:
        draft.address = draft.address._replace(response_mode="form_post")


def response_type(draft: Draft) -> None:
    """No tokens in an authorization response (RFC 9700 section 2.1.2)."""
    if draft.via == "challenge" and draft.form.get("response_type") is None:
        return
    if draft.form.require("response_type") != "code":
        raise UnsupportedResponseType("response_type must be code")


def pushed(draft: Draft) -> None:
    """RFC 9126 section 6, FAPI 2.0 Security Profile section 5.3.2.2."""
    required = draft.client.require_pushed_authorization_requests or draft.client.profile == "fapi2"
    if required and draft.via == "parameters":
        raise InvalidRequest("this client must push its requests (RFC 9126)")


def signed(draft: Draft) -> None:
    """RFC 9101 section 10.5."""
    if draft.client.require_signed_request_object and not draft.signed:
        raise InvalidRequest("this client must sign its requests (RFC 9101)")


def scope(draft: Draft) -> None:
    asked = draft.form.get("scope")
    granted = grant_scope(draft.client, asked)
    if "refresh_token" not in draft.client.grant_types:  # OpenID Connect Core section 11: ignored
        granted = tuple(name for name in granted if name != "offline_access")
    draft.settled |= {"scope": granted, "scope_asked": None if asked is None else tuple(asked.split())}


def redirect_uri_named(draft: Draft) -> None:
    """REQUIRED by OpenID Connect Core section 3.1.2.1 and FAPI 2.0 Security Profile section 5.3.2.2."""
    strict = "openid" in draft.settled["scope"] or draft.client.profile == "fapi2"
    if strict and draft.via != "challenge" and not draft.settled["redirect_uri_given"]:
        raise InvalidRequest("redirect_uri is missing")


def resource(draft: Draft) -> None:
    draft.settled["resources"] = audience(draft.client, draft.form.all("resource"), draft.issuer)


def code_challenge(draft: Draft) -> None:
    """RFC 7636; required of everybody but a confidential client that is excused (OAuth 2.1 section 7.5.1)."""
    challenge = read_challenge(draft.form.get("code_challenge"), draft.form.get("code_challenge_method"))
    client = draft.client
    excused = not client.require_pkce and not client.is_public and client.profile != "fapi2"
    if challenge is None and not excused:
        raise InvalidRequest("code_challenge is missing (RFC 7636, with S256)")
    draft.settled["code_challenge"] = challenge


def nonce(draft: Draft) -> None:
    draft.settled["nonce"] = draft.short("nonce")


def prompt(draft: Draft) -> None:
    asked = draft.listed("prompt")
    if not set(asked) <= set(PROMPTS):
        raise InvalidRequest(f"prompt may hold {' '.join(PROMPTS)}")
    if "none" in asked and len(asked) > 1:
        raise InvalidRequest("prompt=none stands alone")
    draft.settled["prompt"] = asked


def max_age(draft: Draft) -> None:
    asked = draft.form.get("max_age")
    if asked is not None and not _MAX_AGE.fullmatch(asked):
        raise InvalidRequest("max_age is not a number of seconds")
    draft.settled["max_age"] = draft.client.default_max_age if asked is None else int(asked)


def acr_values(draft: Draft) -> None:
    draft.settled["acr_values"] = draft.listed("acr_values") or draft.client.default_acr_values


def claims(draft: Draft) -> None:
    draft.settled["claims"] = read_claims_request(draft.form.get("claims"))


def ui_locales(draft: Draft) -> None:
    """A wish: what is no language tag is passed over (OpenID Connect Core section 3.1.2.1)."""
    draft.settled["ui_locales"] = tuple(filter(_LOCALE.fullmatch, draft.listed("ui_locales")))


def hints(draft: Draft) -> None:
    """`id_token_hint` is still the token: whose it is needs a key, see `AuthorizationRequests`."""
    draft.settled["login_hint"] = draft.short("login_hint")
    draft.settled["id_token_hint"] = draft.form.get("id_token_hint")


def authorization_details(draft: Draft) -> None:
    draft.settled["authorization_details"] = read_details(draft.client, draft.form.get("authorization_details"))


def dpop_jkt(draft: Draft) -> None:
    """RFC 9449 section 10."""
    thumbprint = draft.form.get("dpop_jkt")
    if thumbprint is not None and not _THUMBPRINT.fullmatch(thumbprint):
        raise InvalidRequest("dpop_jkt is not the base64url SHA-256 thumbprint of a key")
    draft.settled["dpop_jkt"] = thumbprint


CHECKS: Final[tuple[Callable[[Draft], None], ...]] = (
    grant_type,
    redirect_uri,
    # Errors from here on are redirected, so where to and how comes first.
    state,
    response_mode,
    response_type,
    pushed,
    signed,
    scope,
    redirect_uri_named,
    resource,
    code_challenge,
    nonce,
    prompt,
    max_age,
    acr_values,
    claims,
    ui_locales,
    hints,
    authorization_details,
    dpop_jkt,
)
