"""A generic cell rate limiter: one time per bucket, the theoretical arrival of the next attempt (tat)."""

from __future__ import annotations

from authserver.model.time import Duration, Instant
from authserver.storage.sql.database import Database
from authserver.storage.sql.hot import HotStatement

ADMIT = HotStatement(
    """
INSERT INTO throttle (bucket, tat) VALUES (:bucket, :first)
ON CONFLICT (bucket) DO UPDATE
 SET tat = CASE WHEN throttle.tat > :now THEN throttle.tat + :interval ELSE :first END
 WHERE throttle.tat <= :latest
RETURNING tat
""",
    writes=True,
    bucket=bytes,
    first=int,
    now=int,
    interval=int,
    latest=int,
)
LOOK = HotStatement("SELECT tat FROM throttle WHERE bucket = :bucket", bucket=bytes)
REFUND = HotStatement(
    "UPDATE throttle SET tat = tat - :interval WHERE bucket = :bucket RETURNING tat",
    writes=True,
    bucket=bytes,
    interval=int,
)


class SqlThrottle:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def admit(self, bucket: bytes, *, burst: int, interval: Duration, now: Instant) -> Duration:
        latest = now + (burst - 1) * interval  # an attempt is admitted while the bucket's time is not past this
        if await self._db.hot(ADMIT, bucket=bucket, first=now + interval, now=now, interval=interval, latest=latest):
            return 0
        found = await self._db.hot(LOOK, bucket=bucket)
        return max(1, int(found[0][0]) - latest) if found else 1

    async def refund(self, bucket: bytes, *, interval: Duration) -> None:
        await self._db.hot(REFUND, bucket=bucket, interval=interval)
