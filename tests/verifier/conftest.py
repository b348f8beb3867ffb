"""What the tests of the middlewares share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authserver.verifier import Verifier
from authserver.verifier.testing import FakeIssuer


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeIssuer]:
    with FakeIssuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def verifier(shared: FakeIssuer) -> Verifier:
    return shared.verifier(on_stale="deny")
