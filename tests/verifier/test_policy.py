"""How old the copy of the revocations may be, what happens then, and whose time counts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from authserver.verifier import Undecided, Verifier, accept_until
from tests.verifier.network import INTROSPECTION, NOON, Service, a_service, a_token, an_answer


def refused(service: Service, **options: Any) -> Undecided:
    with pytest.raises(Undecided) as undecided:
        service.verifier.verify(a_token(), **options)
    return undecided.value


def decisions(service: Service) -> Any:
    return service.verifier.metrics()["stale_decisions_total"]


# -- fresh or stale ----------------------------------------------------------------------------


def test_a_copy_may_be_as_old_as_allowed_and_no_older() -> None:
    service = a_service(on_stale="deny", max_staleness=5)
    service.time.pass_(5)
    assert service.refusal(a_token()) == "accepted"
    service.time.pass_(0.01)
    undecided = refused(service)
    assert (undecided.code, undecided.status, undecided.retry_after) == ("stale", 503, 1)
    assert undecided.www_authenticate() is None
    service.feed.tell()
    assert service.refusal(a_token()) == "accepted"


def test_a_call_may_allow_less_or_more_than_the_verifier() -> None:
    service = a_service(on_stale="deny", max_staleness=5)
    service.time.pass_(3)
    assert service.refusal(a_token(), max_staleness=2) == "stale"
    assert service.refusal(a_token(), max_staleness=2, on_stale=accept_until(4)) == "accepted"
    service.time.pass_(7)
    assert service.refusal(a_token(), max_staleness=10) == "accepted"
    assert service.refusal(a_token(), on_stale="introspect") == "accepted"
    assert service.network.count(INTROSPECTION) == 1


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), True])
def test_a_staleness_that_is_none(seconds: float) -> None:
    with pytest.raises(ValueError):
        a_service(max_staleness=seconds)
    with pytest.raises(ValueError):
        a_service().verifier.verify(a_token(), max_staleness=seconds)
    if seconds is not True:
        with pytest.raises(ValueError):
            accept_until(seconds)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"max_staleness": "5"}, "max_staleness '5': must be a number of seconds, 0 or more"),
    ({"max_staleness": None}, "max_staleness None: must be a number of seconds, 0 or more"),
    ({"audience": None}, "audience None: must be a text that is not empty, or several"),
    ({"audience": 5}, "audience 5: must be a text that is not empty, or several"),
    ({"audience": []}, "audience []: must be a text that is not empty, or several"),
    ({"audience": [["a"]]}, "audience [['a']]: must be a text that is not empty, or several"),
    ({"leeway": "1"}, "leeway '1': must be a number of seconds from 0 to 60"),
    ({"on_stale": "accept"}, "on_stale 'accept': must be 'introspect', 'deny' or accept_until(seconds)"),
    ({"feed": "pull"}, "feed 'pull': must be one of stream, poll, cached"),
    ({"cached_tokens": "9"}, "cached_tokens '9': must be a whole number, 0 or more"),
    ({"algorithms": ["none"]}, "algorithms"),
    ({"algorithms": None}, "algorithms"),
]


@pytest.mark.parametrize(("options", "says"), WRONG)
def test_a_wrong_option_is_named_with_its_value(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        a_service(**options)


@pytest.mark.parametrize(
    ("issuer", "says"),
    [
        ("http://auth.example.com", "issuer 'http://auth.example.com': must be https, or http on loopback"),
        ("", "issuer '': must be https"),
        (None, "issuer None: must be a text"),
        ("https://auth.example.com/?a=b", "issuer 'https://auth.example.com/?a=b': must be without a query"),
        ("https://a:99999", "issuer 'https://a:99999': "),
        ("https://[", "issuer 'https://[': "),
        ("https://me:hidden@auth.example.com", "issuer with credentials in it: must be without"),
    ],
)
def test_a_wrong_issuer_is_named_with_its_value(issuer: Any, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        Verifier(issuer, audience="https://api.example.com")


@pytest.mark.parametrize("policy", ["accept", "", 5, True, "Deny"])
def test_a_policy_that_is_none_is_noticed_at_once(policy: Any) -> None:
    with pytest.raises(ValueError):
        a_service(on_stale=policy)
    with pytest.raises(ValueError):
        a_service().verifier.verify(a_token(), on_stale=policy)


def test_a_token_that_was_issued_a_moment_ago_is_as_fresh_as_itself() -> None:
    """Give or take the two seconds that issuing may take after the look at what is revoked."""
    service = a_service(on_stale="deny", max_staleness=5)
    service.time.pass_(100)
    keys_are_fetched(service)
    assert service.refusal(a_token(iat=NOON + 96)) == "stale"
    assert service.refusal(a_token(iat=NOON + 97)) == "accepted"
    service.time.pass_(1)
    assert service.refusal(a_token(iat=NOON + 97)) == "stale"


def test_a_token_is_no_fresher_than_the_copy_of_the_keys() -> None:
    """A thief of a key that was revoked since writes any `iat`."""
    service = a_service(on_stale="deny", max_staleness=5)
    assert service.refusal(a_token()) == "accepted"
    service.time.pass_(10)
    assert service.refusal(a_token(iat=NOON + 10)) == "stale"
    keys_are_fetched(service)
    assert service.refusal(a_token(iat=NOON + 10)) == "accepted"
    service.time.pass_(6)
    assert service.refusal(a_token(iat=NOON + 16)) == "stale"


def keys_are_fetched(service: Service) -> None:
    assert service.refusal(a_token({"kid": "of-a-key-that-is-not-there"})) == "unknown_key"


def test_what_is_listed_is_refused_however_old_the_list_is() -> None:
    service = a_service(on_stale=accept_until(100))
    service.time.pass_(50)
    service.feed.revocations.denies = lambda keys: "sid"
    assert service.refusal(a_token()) == "revoked_sid"
    assert service.refusal(a_token(), on_stale="introspect") == "revoked_sid"
    assert service.network.count(INTROSPECTION) == 0


def test_what_is_looked_up_is_at_least_as_new_as_the_age_says() -> None:
    """A checkpoint that arrives between the two must not vouch for an older look."""
    service = a_service(on_stale="deny")
    order: list[str] = []
    age = service.feed.age
    service.feed.age = lambda: (order.append("age"), age())[1]  # type: ignore[method-assign,func-returns-value]  # to watch it
    service.feed.revocations.denies = lambda keys: order.append("look-up")  # type: ignore[func-returns-value]  # None
    service.verifier.verify(a_token())
    assert order.index("age") < order.index("look-up")
    assert order[-1] == "look-up"


# -- policies ----------------------------------------------------------------------------------


def test_accepting_has_an_end() -> None:
    service = a_service(on_stale=accept_until(60))
    service.time.pass_(60)
    assert service.refusal(a_token()) == "accepted"
    service.time.pass_(0.1)
    assert refused(service).code == "stale"
    assert decisions(service) == {"accepted": 1, "denied": 1}


def test_without_credentials_introspecting_is_denying() -> None:
    service = a_service(credentials=False)
    service.time.pass_(6)
    assert refused(service).code == "stale"


def test_introspection_decides_when_the_copy_is_too_old() -> None:
    service = a_service()
    service.time.pass_(6)
    assert service.refusal(a_token()) == "accepted"
    service.network.answers[INTROSPECTION] = an_answer({"active": False})
    assert service.refusal(a_token()) == "inactive"
    assert decisions(service) == {"active": 1, "inactive": 1}


def test_a_scope_that_is_missing_needs_no_introspection() -> None:
    service = a_service()
    service.time.pass_(6)
    assert service.refusal(a_token(), scope="admin") == "insufficient_scope"
    assert service.network.count(INTROSPECTION) == 0


# -- not ready ---------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["deny", accept_until(1000)])
def test_before_the_first_checkpoint_nothing_is_accepted(policy: Any) -> None:
    service = a_service(on_stale=policy)
    service.feed.forget()
    assert refused(service).code == "not_ready"
    assert refused(service, max_staleness=1e9).code == "not_ready"
    assert not service.verifier.ready


def test_before_the_first_checkpoint_introspection_decides_if_it_is_the_policy() -> None:
    service = a_service()
    service.feed.forget()
    assert service.refusal(a_token()) == "accepted"
    service.network.fail(INTROSPECTION)
    assert refused(service).code == "not_ready"


def test_a_token_issued_just_now_is_no_reason_to_accept_before_the_first_checkpoint() -> None:
    service = a_service(on_stale="deny")
    service.feed.forget()
    assert service.refusal(a_token(iat=NOON)) == "not_ready"


def test_a_closed_verifier_refuses_everything() -> None:
    service = a_service()
    token = a_token()
    assert service.refusal(token) == "accepted"
    service.verifier.close()
    assert service.refusal(token) == "not_ready"
    assert (service.feed.closes, service.network.closed, service.verifier.ready) == (1, True, False)
    service.verifier.start()
    assert service.refusal(token) == "not_ready"


# -- whose time --------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [-86_400, -3600, 3600, 86_400])
def test_a_clock_on_the_wall_that_is_wrong_by_an_hour_or_a_day_changes_nothing_while_the_feed_is_fresh(
    wrong: float,
) -> None:
    service = a_service()
    token = a_token()
    assert service.refusal(token) == "accepted"
    service.time.wall += wrong
    assert service.refusal(token) == "accepted"
    assert service.refusal(a_token(exp=NOON - 6)) == "expired"
    service.feed.tell(NOON + 245)
    assert service.refusal(token) == "expired"


def test_a_token_over_by_one_of_two_clocks_is_for_the_policy_to_decide() -> None:
    """The issuer's time, carried on, says that it lives; the wall's that it does not."""
    service = a_service()
    service.time.monotonic += 6
    service.time.wall += 3600
    token = a_token()
    assert service.refusal(token) == "accepted"  # by introspection
    assert service.network.count(INTROSPECTION) == 1
    assert service.refusal(token, on_stale="deny") == "stale"
    assert service.refusal(token, on_stale=accept_until(1e6)) == "stale"
    service.network.answers[INTROSPECTION] = an_answer({"active": False})
    assert service.refusal(token) == "inactive"


def test_where_no_clock_counts_sleep_the_one_on_the_wall_may_object() -> None:
    service = a_service(on_stale="deny")
    assert service.refusal(a_token()) == "accepted"
    service.verifier._core.counts_sleep = False
    service.time.wall += 3600  # the machine slept: the monotonic clock, and with it the copy, seem as they were
    assert service.refusal(a_token()) == "stale"


def test_a_clock_on_the_wall_that_runs_behind_makes_no_token_live_longer() -> None:
    service = a_service()
    service.time.wall -= 86_400
    service.feed.tell(NOON + 245)
    assert service.refusal(a_token()) == "expired"
    service.time.monotonic += 60
    assert service.refusal(a_token()) == "expired"
