"""The revoker over a real store: what is recorded, and who is told when."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from authserver.audit.events import EventType
from authserver.audit.log import AuditLog
from authserver.ids import uuid7
from authserver.model.account import User
from authserver.model.audit import SYSTEM, Caller
from authserver.model.errors import Conflict, NotFound
from authserver.model.page import PageRequest
from authserver.model.revocation import RevocationTarget
from authserver.model.time import MINUTE
from authserver.revocation.revoker import EVENT_OF, Revoker
from authserver.storage.channels import REVOCATIONS
from authserver.storage.interface import AuditFilter, KeyIsUsed
from authserver.storage.local import LocalBus
from tests.conftest import Stores
from tests.storage.builders import a_key, an_event

NOW = 1_800_000_000_000
ADMIN = Caller(actor="client:boss", address="192.0.2.1", request_id="r-1")
USER = uuid7(NOW)


def now() -> int:
    return NOW


@dataclass
class ListeningBus(LocalBus):
    """A bus of this process that notes what is said."""

    heard: list[str] = field(default_factory=list)

    async def publish(self, channel: str, message: bytes = b"") -> None:
        self.heard.append(channel)


@dataclass
class Scene:
    """A revoker that notes the order in which the world learns of things."""

    stores: Stores
    heard: list[str] = field(default_factory=list)
    signing: str = "k-active"

    async def withdraw(self, kid: str, *, caller: Caller, reason: str) -> bool:
        return kid == self.signing

    async def changed(self) -> None:
        self.heard.append("changed")

    @property
    def revoker(self) -> Revoker:
        bus = ListeningBus(heard=self.heard)
        return Revoker(
            self.stores.revocations, bus, AuditLog(now), now, self.withdraw, "https://auth.example", self.changed
        )

    async def events(self) -> list[tuple[str, str, object]]:
        page = await self.stores.audit.list(PageRequest(), AuditFilter(types=tuple(map(str, EVENT_OF.values()))))
        return [(event.type, event.actor, event.detail.get("reason")) for event in page.items]


@pytest.fixture
async def scene(sqlite_stores: Stores) -> Scene:
    user = User(id=USER, username="ada", username_key="ada", created_at=NOW, updated_at=NOW)
    await sqlite_stores.users.add(user, event=AuditLog(now).event(EventType.USER_CREATED, SYSTEM, user_id=USER))
    return Scene(sqlite_stores)


async def test_a_revocation_is_recorded_under_its_author_and_told(scene: Scene) -> None:
    outcome = await scene.revoker.revoke(RevocationTarget(kind="user", value=USER), reason="left", caller=ADMIN)
    assert outcome.changed
    assert await scene.events() == [("user.revoked", "client:boss", "left")]
    assert scene.heard == [REVOCATIONS]


async def test_copies_of_clients_and_keys_are_thrown_away_before_the_others_are_told(scene: Scene) -> None:
    await scene.revoker.revoke(RevocationTarget(kind="all"), reason="", caller=ADMIN)
    assert scene.heard == ["changed", REVOCATIONS]


async def test_what_changed_nothing_is_neither_recorded_nor_told(scene: Scene) -> None:
    target = RevocationTarget(kind="jti", value="j-1", expires_at=NOW + MINUTE)
    first = await scene.revoker.revoke(target, reason="one", caller=ADMIN)
    second = await scene.revoker.revoke(target, reason="two", caller=ADMIN)
    assert (first.changed, second.changed, second.outbox_id) == (True, False, None)
    assert await scene.events() == [("token.revoked", "client:boss", "one")]
    assert scene.heard == [REVOCATIONS]


@pytest.mark.parametrize("kind", ["family", "session", "user", "client", "kid"])
async def test_an_unknown_target_is_not_found_and_leaves_no_trace(scene: Scene, kind: str) -> None:
    target = RevocationTarget(kind=kind, value=uuid7(NOW))  # type: ignore[arg-type]  # kinds are parameters of pytest
    with pytest.raises(NotFound):
        await scene.revoker.revoke(target, reason="", caller=ADMIN)
    with pytest.raises(NotFound):
        await scene.revoker.preview(target)
    assert await scene.events() == []
    assert scene.heard == []


async def test_a_preview_changes_nothing(scene: Scene) -> None:
    outcome = await scene.revoker.preview(RevocationTarget(kind="user", value=USER))
    assert (outcome.found, outcome.changed, outcome.outbox_id) == (True, False, None)
    assert await scene.events() == []
    assert await scene.stores.revocations.outbox(after=0, limit=10) == []


async def test_the_key_that_signs_is_left_to_the_rotation(scene: Scene) -> None:
    outcome = await scene.revoker.revoke(RevocationTarget(kind="kid", value="k-active"), reason="", caller=ADMIN)
    assert outcome.changed
    assert scene.heard == ["changed", REVOCATIONS]


@pytest.fixture
async def announced(scene: Scene) -> str:
    """A key that will sign from the moment at which somebody asks whether it does."""
    key, keys = a_key(), scene.stores.keys
    await keys.add_announced(key, event=an_event())
    asked = 0

    async def withdraw(kid: str, *, caller: Caller, reason: str) -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            assert await keys.activate(kid, instead_of=None, at=NOW, remove_at=NOW, event=an_event())
            return False
        return kid == scene.signing

    scene.withdraw = withdraw  # type: ignore[method-assign]  # stands in for the store
    return key.kid


async def test_a_key_that_begins_to_sign_meanwhile_is_withdrawn_all_the_same(scene: Scene, announced: str) -> None:
    scene.signing = announced
    outcome = await scene.revoker.revoke(RevocationTarget(kind="kid", value=announced), reason="", caller=ADMIN)
    assert outcome.changed
    assert scene.heard == ["changed", REVOCATIONS]


async def test_a_key_that_signs_is_never_said_to_be_revoked(scene: Scene, announced: str) -> None:
    target = RevocationTarget(kind="kid", value=announced)
    with pytest.raises(Conflict):
        await scene.revoker.revoke(target, reason="", caller=ADMIN)
    with pytest.raises(KeyIsUsed):
        await scene.stores.revocations.revoke(target, at=NOW, reason="", event=an_event())
    assert scene.heard == []


async def test_each_value_is_found_again_in_the_log(scene: Scene) -> None:
    target = RevocationTarget(kind="jti", value="j-1", expires_at=NOW + MINUTE)
    outcome = await scene.revoker.revoke(target, reason="", caller=ADMIN)
    assert await scene.stores.revocations.position("jti", "j-1", key="") == outcome.outbox_id
    assert await scene.stores.revocations.position("jti", "j-2", key="") is None
