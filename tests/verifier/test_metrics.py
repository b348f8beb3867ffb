"""What a verifier tells about itself."""

from __future__ import annotations

import json
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from authserver.verifier.metrics import Metrics
from tests.verifier.network import CREDENTIALS, INTROSPECTION, ISSUER, a_service, a_token


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
    assert told == {
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
    }
    assert CREDENTIALS["client_secret"] not in repr(status()) + repr(service.verifier) + repr(service.verifier._parts)
