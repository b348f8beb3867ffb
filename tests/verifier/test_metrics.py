"""What a verifier tells about itself."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from authserver.verifier.introspection import Outcome
from authserver.verifier.metrics import _CONTENT, Metrics, feed_counters
from authserver.verifier.notes import NAMES
from authserver.verifier.troubles import Troubles
from tests.verifier.network import (
    CREDENTIALS,
    INTROSPECTION,
    ISSUER,
    JWKS,
    METADATA,
    Service,
    Time,
    a_service,
    a_token,
    an_answer,
    introspected,
    jwk,
)


def samples(text: str) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "issuer"}
            found[" ".join([sample.name.removeprefix("authserver_verifier_"), *labels.values()])] = sample.value
    return found


def test_everything_is_counted_and_scrapers_can_read_it() -> None:
    service = a_service()
    service.feed.counters["gaps"] = 2
    service.feed.counters["forks"] = 1
    service.feed.revocations.entries = 560
    for token in (a_token(), a_token(), a_token(aud="x"), "x"):
        service.refusal(token)
    service.time.pass_(7)
    service.refusal(a_token())
    service.network.fail(INTROSPECTION)
    service.refusal(a_token())
    told = samples(service.verifier.metrics().prometheus())
    assert {name: count for name, count in told.items() if count or " " not in name} == {
        "age_seconds": 7,
        "ready": 1,
        "seq": 7,
        "entries": 560,
        "keys": 1,
        "keys_age_seconds": 7,
        "remembered_tokens": 1,
        "introspection_open": 0,
        "verifications_total": 6,
        "signatures_total": 2,
        "refusals_total malformed_token": 1,
        "refusals_total wrong_audience": 1,
        "refusals_total stale": 1,
        "stale_decisions_total active": 1,
        "stale_decisions_total undecided": 1,
        "introspections_total active": 1,
        "introspections_total failed": 1,
        "jwks_fetches_total": 1,
        "jwks_failures_total": 0,
        "gaps_total": 2,
        "feed_forks_total": 1,
    }


def test_labels_are_escaped_and_may_be_added() -> None:
    text = Metrics('https://a"\\\n', {"seq": 1}).prometheus({"pod": "api-1"})
    (family,) = text_string_to_metric_families(text)
    assert family.samples[0].labels == {"issuer": 'https://a"\\\n', "pod": "api-1"}
    assert text.count("\n") == 3


def test_before_the_first_checkpoint_the_age_is_infinite() -> None:
    service = a_service()
    service.feed.forget()
    told = samples(service.verifier.metrics().prometheus())
    assert (told["age_seconds"], told["keys_age_seconds"], told["ready"]) == (float("inf"), float("inf"), 0)


def test_the_status_is_json_and_holds_no_secret() -> None:
    service = a_service()
    service.feed.forget()

    def status() -> dict[str, Any]:
        return json.loads(json.dumps(service.verifier.status(), allow_nan=False))  # type: ignore[no-any-return]  # JSON

    assert (status()["ready"], status()["age_seconds"], status()["keys"]) == (False, None, [])
    service.feed.tell()
    service.refusal(a_token())
    service.time.pass_(1.5)
    assert status() == {
        "issuer": ISSUER,
        "audience": ["https://api.example.com"],
        "ready": True,
        "age_seconds": 1.5,
        "log": "5c0b7e0f2f6a4d11",
        "seq": 7,
        "entries": 0,
        "keys": ["key-1"],
        "keys_age_seconds": 1.5,
        "introspection": "available",
        "problem": None,
    }
    assert CREDENTIALS["client_secret"] not in repr(status()) + repr(service.verifier) + repr(service.verifier._parts)


def test_every_label_stands_there_with_0_from_the_start() -> None:
    told = samples(a_service().verifier.metrics().prometheus())
    assert told["refusals_total revoked_sid"] == told["refusals_total stale"] == 0
    assert told["stale_decisions_total denied"] == told["introspections_total timeout"] == 0
    assert {name.partition(" ")[2] for name in told if name.startswith("introspections_total ")} == set(
        get_args(Outcome)
    )


def test_all_that_the_follower_counts_has_a_text() -> None:
    assert set(feed_counters(dict.fromkeys(NAMES, 0))) <= set(_CONTENT)


# -- what is wrong ---------------------------------------------------------------------------------


def problem(service: Service) -> Any:
    return service.verifier.status()["problem"]


def test_who_is_not_ready_has_a_reason() -> None:
    service = a_service()
    service.feed.forget()
    assert problem(service) == {"text": "no checkpoint of the revocations yet", "seconds_ago": None}
    service.feed.tell()
    assert problem(service) == {"text": "no keys of the issuer yet", "seconds_ago": None}
    service.network.fail(JWKS)
    service.refusal(a_token())
    service.time.pass_(2)
    assert problem(service) == {"text": "the issuer's keys cannot be had: JWKS: cut off", "seconds_ago": 2}
    service.network.publish(jwk())
    service.time.pass_(5)
    service.feed.tell()
    service.refusal(a_token())
    assert problem(service) is None
    service.verifier.close()
    assert problem(service) == {"text": "the verifier is closed", "seconds_ago": None}


def test_an_issuer_under_another_name_is_named_with_ours(caplog: pytest.LogCaptureFixture) -> None:
    service = a_service()
    service.network.answers[METADATA] = an_answer({"issuer": ISSUER + "/", "jwks_uri": JWKS})
    service.refusal(a_token())
    says = f"the metadata names issuer '{ISSUER}/', this verifier was given '{ISSUER}'"
    assert says in problem(service)["text"]
    assert says in caplog.text


def test_refused_credentials_are_logged_once_for_each_trouble(caplog: pytest.LogCaptureFixture) -> None:
    service = a_service()
    service.time.pass_(6)
    service.network.answers[INTROSPECTION] = an_answer({"error": "invalid_client"}, status=401)
    assert [service.refusal(a_token()) for _ in range(3)] == ["stale"] * 3
    assert [each.message for each in caplog.records] == [
        "introspection: status 401: the issuer refused these credentials"
    ]
    assert CREDENTIALS["client_secret"] not in caplog.text
    service.network.answers[INTROSPECTION] = introspected
    assert service.refusal(a_token()) == "accepted"
    assert problem(service) is None
    service.time.pass_(60)
    service.network.fail(INTROSPECTION)
    service.refusal(a_token())
    assert [each.message for each in caplog.records][1:] == ["introspection: cut off"]


def test_a_trouble_of_introspection_is_forgotten_when_nobody_needs_to_ask_any_more() -> None:
    service = a_service()
    service.time.pass_(6)
    service.network.fail(INTROSPECTION)
    service.refusal(a_token())
    assert problem(service)["text"] == "introspection: cut off"
    service.feed.tell()
    service.time.pass_(60)
    assert problem(service) is None


def test_what_comes_and_goes_is_logged_once_in_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    troubles = Troubles(lambda: time.monotonic)
    for second in range(120):
        troubles.arose("reports", f"status {500 + second % 2}")
        troubles.over("reports")
        time.pass_(1)
    assert len(caplog.records) == 4
