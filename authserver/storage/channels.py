"""What is said on the bus, and when: after the commit, never before, so that whoever looks finds the change."""

from __future__ import annotations

from typing import Final

from authserver.storage.interface import Bus

CONFIG: Final = "config"
"""Clients, keys or the issuer's version changed: copies of them are old."""
REVOCATIONS: Final = "revocations"
"""Something was revoked: there is more in the outbox."""
ALL: Final = (CONFIG, REVOCATIONS)


async def tell_changed(bus: Bus) -> None:
    await bus.publish(CONFIG)


async def tell_revoked(bus: Bus) -> None:
    """Every commit that leaves an outbox entry is followed by this: others look now, not at their next poll."""
    await bus.publish(REVOCATIONS)
