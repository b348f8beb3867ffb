"""Plans for keys: those under which a token could outlive its key are refused."""

from __future__ import annotations

from typing import Any

import pytest

from authserver.model.time import DAY, HOUR, MINUTE, SECOND
from authserver.tokens.rotation import RotationPolicy


@pytest.mark.parametrize(
    ("differs", "complaint"),
    [
        ({"bits": 1024}, "not 1024"),
        ({"bits": 2047}, "not 2047"),
        ({"bits": 8192}, "not 8192"),
        ({"access_token_ttl": 0}, "at least one second"),
        ({"access_token_ttl": 999}, "at least one second"),
        ({"announce_before": 14 * MINUTE}, "announced at least 900 s"),
        ({"interval": DAY}, "must be longer than"),
        ({"interval": HOUR, "announce_before": 2 * HOUR}, "must be longer than"),
        ({"interval": 2 * DAY, "access_token_ttl": 3 * DAY}, "outlive the period of the key"),
        ({"access_token_ttl": HOUR, "publish_after": HOUR}, "outlive their key"),
        ({"publish_after": 0}, "outlive their key"),
    ],
)
def test_an_unsafe_plan_is_refused(differs: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        RotationPolicy(**differs)


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_the_defaults_are_safe_at_each_size(bits: int) -> None:
    RotationPolicy(bits=bits)


def test_a_retired_key_stays_for_the_longest_token_and_the_caches() -> None:
    assert RotationPolicy(access_token_ttl=HOUR).published_after_retirement == HOUR + 15 * MINUTE
    assert RotationPolicy(publish_after=DAY).published_after_retirement == DAY


def test_a_test_may_shorten_everything_together() -> None:
    RotationPolicy(
        interval=4 * SECOND,
        announce_before=SECOND,
        access_token_ttl=SECOND,
        jwks_cache=SECOND,
        publish_after=MINUTE + SECOND,
    )
