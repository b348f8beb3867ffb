"""What a browser does next: the whole table of the pure function that decides it."""

from __future__ import annotations

from typing import Any

import pytest

from authserver.model.authorization import AuthorizationRequest, Consent
from authserver.model.client import Client
from authserver.model.session import Session
from authserver.model.time import HOUR, MINUTE, SECOND, Instant
from authserver.oauth.flow import (
    PASSWORD_ACR,
    Approval,
    AskConsent,
    Issue,
    LogIn,
    PendingRequest,
    Refuse,
    Step,
    next_step,
    wanted_subjects,
)

NOW: Instant = 1_800_000_000_000
STARTED = NOW - MINUTE
HTTPS = "https://app.example/cb"
ADA, BOB = "ada", "bob"


def pending(*, approved_by: str | None = None, client: dict[str, Any] | None = None, **request: Any) -> PendingRequest:
    """Of a confidential client that is nobody's own, for two scopes."""
    settled = {"id": "app", "name": "App", "auth_method": "client_secret_basic", **(client or {})}
    asked = {"client_id": "app", "redirect_uri": HTTPS, "scope": ("openid", "read"), "resources": ("api",), **request}
    approval = None if approved_by is None else Approval(user_id=approved_by, scope=("openid",))
    return PendingRequest(
        request=AuthorizationRequest(**asked), client=Client(**settled), started_at=STARTED, approval=approval
    )


def session(*, age: int = HOUR, acr: str | None = PASSWORD_ACR) -> Session:
    """Of Ada, who logged in so long ago."""
    return Session(
        id="s",
        user_id=ADA,
        kind="browser",
        auth_time=NOW - age,
        acr=acr,
        created_at=NOW - age,
        last_seen_at=NOW,
        idle_until=NOW + HOUR,
        abs_until=NOW + HOUR,
    )


BEFORE = session()
FRESH = session(age=SECOND)
ALLOWED = Consent(
    user_id=ADA, client_id="app", scope=("openid", "read"), resources=("api",), granted_at=0, updated_at=0
)


def step(asked: PendingRequest, who: Session | None = BEFORE, consent: Consent | None = ALLOWED) -> Step:
    return next_step(asked, who, consent, subject=ADA if who else None, now=NOW)


def refused(what: Step) -> str:
    assert isinstance(what, Refuse), what
    return what.error.code


# -- who is it --------------------------------------------------------------------------------


def test_nobody_logs_in_somebody_gets_a_code():
    assert step(pending(), None) == LogIn()
    assert step(pending()) == Issue(BEFORE, ("openid", "read"))


def test_prompt_login_wants_a_log_in_since_the_request_came():
    assert step(pending(prompt=("login",))) == LogIn()
    assert step(pending(prompt=("login",)), FRESH) == Issue(FRESH, ("openid", "read"))


def test_choosing_an_account_is_logging_in_to_it():
    assert step(pending(prompt=("select_account",))) == LogIn()
    assert isinstance(step(pending(prompt=("select_account",)), FRESH), Issue)


@pytest.mark.parametrize(
    ("max_age", "age", "again"),
    [(None, HOUR, False), (3600, HOUR, False), (3599, HOUR, True), (0, HOUR, True), (0, SECOND, False)],
)
def test_max_age_counts_from_the_log_in_and_one_for_this_request_is_never_too_old(max_age, age, again):
    got = step(pending(max_age=max_age), session(age=age))
    assert (got == LogIn()) is again
    assert isinstance(got, Issue) is not again


def test_another_user_than_the_hinted_one_has_to_log_in_and_then_to_be_the_right_one():
    assert step(pending(id_token_hint=BOB)) == LogIn()
    assert refused(step(pending(id_token_hint=BOB), FRESH)) == "login_required"
    assert isinstance(step(pending(id_token_hint=ADA)), Issue)


@pytest.mark.parametrize("place", ["id_token", "userinfo"])
def test_the_claim_sub_insists_on_a_user_too(place: str):
    assert step(pending(claims={place: {"sub": {"value": BOB}}})) == LogIn()
    assert isinstance(step(pending(claims={place: {"sub": {"value": ADA}}})), Issue)
    assert isinstance(step(pending(claims={place: {"sub": None}})), Issue)


def test_two_users_at_once_are_never_there():
    asked = pending(id_token_hint=ADA, claims={"id_token": {"sub": {"value": BOB}}})
    assert wanted_subjects(asked.request) == {ADA, BOB}
    assert refused(step(asked, FRESH)) == "login_required"


def test_a_login_hint_switches_nobody():
    assert isinstance(step(pending(login_hint=BOB)), Issue)


# -- how was it -------------------------------------------------------------------------------


def essential(*values: str) -> dict[str, Any]:
    return {"id_token": {"acr": {"essential": True, "values": list(values)}}}


def test_an_essential_acr_that_cannot_be_had_is_refused_at_once():
    assert refused(step(pending(claims=essential("urn:example:hardware")))) == "unmet_authentication_requirements"


def test_an_essential_acr_that_can_be_had_is_worth_a_log_in():
    asked = pending(claims=essential("urn:example:hardware", PASSWORD_ACR))
    assert isinstance(step(asked), Issue)
    assert step(asked, session(acr=None)) == LogIn()
    assert refused(step(asked, session(acr=None, age=SECOND))) == "unmet_authentication_requirements"


def test_a_single_essential_value_counts_as_well():
    wanted = {"id_token": {"acr": {"essential": True, "value": "urn:example:hardware"}}}
    assert refused(step(pending(claims=wanted))) == "unmet_authentication_requirements"


def test_a_voluntary_acr_is_a_wish():
    assert isinstance(step(pending(acr_values=("urn:example:hardware",))), Issue)
    assert isinstance(step(pending(claims={"id_token": {"acr": {"values": ["urn:example:hardware"]}}})), Issue)


# -- is it allowed ----------------------------------------------------------------------------


def test_what_was_not_allowed_before_is_asked():
    assert step(pending(), consent=None) == AskConsent(BEFORE)
    assert step(pending(scope=("openid", "write"))) == AskConsent(BEFORE)
    assert step(pending(resources=("api", "files"))) == AskConsent(BEFORE)
    assert step(pending(authorization_details=({"type": "payment"},))) == AskConsent(BEFORE)
    assert isinstance(step(pending(scope=("read",))), Issue)


def test_clients_of_the_house_are_not_asked_about_unless_they_want_it():
    assert isinstance(step(pending(client={"first_party": True}), consent=None), Issue)
    assert step(pending(client={"first_party": True}, prompt=("consent",))) == AskConsent(BEFORE)


def test_prompt_consent_asks_although_it_was_allowed_before():
    assert step(pending(prompt=("consent",))) == AskConsent(BEFORE)


def test_a_yes_to_this_request_counts_and_for_as_much_as_was_said_yes_to():
    assert step(pending(prompt=("consent",), approved_by=ADA)) == Issue(BEFORE, ("openid",))


def test_a_yes_of_another_user_or_one_that_was_taken_back_does_not_count():
    assert step(pending(approved_by=BOB)) == AskConsent(BEFORE)
    assert step(pending(approved_by=ADA), consent=None) == AskConsent(BEFORE)


@pytest.mark.parametrize("uri", ["http://127.0.0.1/cb", "com.example.app:/cb", "http://localhost:8000/cb"])
def test_what_anybody_on_the_machine_can_pose_as_is_asked_about_each_time(uri: str):
    public = {"auth_method": "none"}
    assert step(pending(client=public, redirect_uri=uri)) == AskConsent(BEFORE)
    assert isinstance(step(pending(client=public, redirect_uri=uri, approved_by=ADA)), Issue)
    assert isinstance(step(pending(client=public)), Issue)
    assert isinstance(step(pending(redirect_uri=uri)), Issue)


@pytest.mark.parametrize("uri", ["http://127.0.0.1/cb", "com.example.app:/cb"])
def test_one_of_the_house_that_anybody_can_pose_as_needs_a_log_in_for_it_or_a_yes(uri: str):
    asked = {"client": {"auth_method": "none", "first_party": True}, "redirect_uri": uri}
    assert step(pending(**asked), consent=None) == AskConsent(BEFORE)
    assert step(pending(**asked)) == AskConsent(BEFORE)
    assert isinstance(step(pending(**asked), FRESH, None), Issue)
    assert isinstance(step(pending(**asked, approved_by=ADA)), Issue)


def test_claims_by_name_are_not_remembered_unless_a_scope_tells_them_anyway():
    asked = {"userinfo": {"email": None, "sub": None}, "id_token": {"acr": None, "no_claim_of_ours": None}}
    assert step(pending(claims=asked)) == AskConsent(BEFORE)
    assert isinstance(step(pending(claims=asked, approved_by=ADA)), Issue)
    assert isinstance(step(pending(claims=asked, client={"first_party": True}), consent=None), Issue)
    more = Consent(
        user_id=ADA, client_id="app", scope=("openid", "email"), resources=("api",), granted_at=0, updated_at=0
    )
    assert isinstance(step(pending(claims=asked, scope=("openid", "email")), consent=more), Issue)
    assert step(pending(claims=asked, scope=("openid",)), consent=more) == AskConsent(BEFORE)


# -- prompt=none ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "who", "consent", "error"),
    [
        ({}, None, None, "login_required"),
        ({"max_age": 1}, BEFORE, ALLOWED, "login_required"),
        ({"id_token_hint": BOB}, BEFORE, ALLOWED, "login_required"),
        ({"id_token_hint": BOB}, FRESH, ALLOWED, "login_required"),
        ({}, BEFORE, None, "consent_required"),
        ({"claims": essential("urn:example:hardware")}, BEFORE, ALLOWED, "unmet_authentication_requirements"),
    ],
)
def test_prompt_none_shows_no_page(request_: dict[str, Any], who: Session | None, consent: Consent | None, error: str):
    assert refused(step(pending(prompt=("none",), **request_), who, consent)) == error


def test_prompt_none_gets_a_code_where_nothing_is_to_be_asked():
    assert isinstance(step(pending(prompt=("none",))), Issue)
