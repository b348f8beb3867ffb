"""The directory of signing keys over a real store: the emergency is an ordinary revocation."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from authserver.administration.keys import KeyDirectory
from authserver.audit.log import AuditLog
from authserver.model.audit import Caller
from authserver.model.errors import Conflict, NotFound
from authserver.revocation.revoker import Revoker
from authserver.storage.channels import REVOCATIONS
from authserver.storage.local import LocalBus
from authserver.telemetry import registry
from authserver.tokens.rotation import KeyRotation
from tests.conftest import Stores
from tests.unit.tokens.builders import FakeClock, a_rotation

OPERATOR = Caller(actor="cli", address="os-user:ada")


@dataclass
class ListeningBus(LocalBus):
    """A bus of this process that notes what is said."""

    heard: list[str] = field(default_factory=list)

    async def publish(self, channel: str, message: bytes = b"") -> None:
        self.heard.append(channel)


@dataclass
class Scene:
    rotation: KeyRotation
    directory: KeyDirectory
    heard: list[str]


@pytest.fixture
async def scene(sqlite_stores: Stores) -> Scene:
    clock, bus = FakeClock(), ListeningBus()
    rotation = a_rotation(sqlite_stores.keys, clock)
    await rotation.ensure_keys()

    async def changed() -> None:
        bus.heard.append("changed")

    revoker = Revoker(
        sqlite_stores.revocations, bus, AuditLog(clock), clock, rotation.withdraw, "https://auth.example", changed
    )
    return Scene(rotation, KeyDirectory(sqlite_stores.keys, rotation, revoker, changed), bus.heard)


def counted() -> float:
    return registry.get_sample_value("authserver_revocations_total", {"kind": "kid"}) or 0


async def test_an_emergency_is_counted_told_to_everybody_and_has_its_place_in_the_log(scene: Scene) -> None:
    old, before = scene.rotation.ring.signing.kid, counted()
    key, outcome = await scene.directory.replace(caller=OPERATOR, reason="stolen laptop")
    assert (key.kid, key.state) == (scene.rotation.ring.signing.kid, "active")
    assert key.kid != old
    assert (outcome.changed, outcome.outbox_id) == (True, 1)
    assert scene.heard == ["changed", REVOCATIONS]
    assert counted() == before + 1


async def test_an_ordinary_rotation_tells_that_keys_have_changed_and_revokes_nothing(scene: Scene) -> None:
    await scene.directory.rotate(now=True, caller=OPERATOR, reason="")
    assert scene.heard == ["changed"]


async def test_only_a_key_that_has_signed_can_be_retired_and_once(scene: Scene) -> None:
    old = scene.rotation.ring.signing.kid
    announced = await scene.directory.rotate(now=False, caller=OPERATOR, reason="")
    with pytest.raises(Conflict, match="has not signed yet"):
        await scene.directory.retire(announced.kid, caller=OPERATOR, reason="")
    with pytest.raises(NotFound):
        await scene.directory.retire("nobody", caller=OPERATOR, reason="")
    for _ in range(2):
        assert (await scene.directory.retire(old, caller=OPERATOR, reason="")).state == "retired"
    assert sorted(key.state for key in await scene.directory.all()) == ["active", "retired"]
