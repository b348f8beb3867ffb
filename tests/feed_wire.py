"""The feed as docs/feed.md says it is, reckoned anew: keys, chain, checkpoints; and ways to make it grow."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import jwt

from authserver.model.revocation import RevocationTarget
from tests.site import ISSUER, TEST, Site


async def published(site: Site, on: int = 0) -> None:
    """Until the first checkpoint is there."""

    async def is_there() -> bool:
        return (await site.instances[on].http.get("/revocations/tail")).status_code == 200

    await until(is_there)


async def until(it_is_so: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.02)):
        if await it_is_so():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


async def revoke(site: Site, **what: object) -> int:
    """As an administrator; the sequence number."""
    response = await site.http.post("/admin/revocations", json=what, headers=await site.admin())
    assert response.status_code == 200, response.text
    return int(response.headers["revocation-seq"])


async def revoke_many(site: Site, number: int) -> int:
    """Tokens that nobody has; the sequence number of the last."""
    revoker, now = site.services.revoker, site.services.now()
    outbox_id = 0
    for n in range(number):
        target = RevocationTarget(kind="jti", value=f"jti-{number}-{n}", expires_at=now + 1_000_000)
        outcome = await revoker.revoke(target, reason="", caller=TEST)
        outbox_id = outcome.outbox_id or 0
    sequence = await site.services.publication.sequence_of(outbox_id, wait=20)
    assert sequence is not None
    return sequence


# -- docs/feed.md, once more ----------------------------------------------------------------------


def key_of(kind: str, value: str) -> str:
    digest = hashlib.sha256(f"{kind}|{ISSUER}|{value}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def chain(log: str, records: Sequence[str]) -> str:
    h = hashlib.sha256(log.encode()).digest()
    for record in records:
        h = hashlib.sha256(h + record.encode()).digest()
    return base64.urlsafe_b64encode(h).decode().rstrip("=")


async def checked(site: Site, checkpoint: str) -> dict[str, Any]:
    """Its claims; fails unless it is one that everybody can check."""
    header = jwt.get_unverified_header(checkpoint)
    keys = jwt.PyJWKSet.from_dict((await site.http.get("/.well-known/jwks.json")).json())
    assert header == {"alg": "RS256", "kid": header["kid"], "typ": "rev-checkpoint+jwt"}
    claims: dict[str, Any] = jwt.decode(checkpoint, keys[header["kid"]], algorithms=["RS256"], issuer=ISSUER)
    assert set(claims) - {"snap"} == {"iss", "log", "seq", "h", "at", "iat", "exp", "floor"}
    assert (claims["iat"], claims["exp"]) == (claims["at"] // 1000, claims["at"] // 1000 + 60)
    return claims


def split(tail: str) -> tuple[str, list[str]]:
    """Checkpoint and records."""
    assert tail.endswith("\n")
    first, *records = tail.split("\n")[:-1]
    return first, records
