"""What logging in refuses."""

from __future__ import annotations

from authserver.model.errors import Refused, TooManyRequests


class InvalidCredentials(Refused):
    """Unknown user, wrong password, disabled user: one answer for all of them (401)."""

    code = "invalid_credentials"
    status = 401

    def __init__(self, *, detail: str | None = None) -> None:
        super().__init__("username or password is wrong", detail=detail)


class LoginThrottled(TooManyRequests):
    """Too many attempts; which limit was hit stays inside."""

    def __init__(self, *, retry_after: int, bucket: str, first: bool) -> None:
        detail = bucket if first else None  # what has a detail is logged, and a flood must not fill the log
        super().__init__("too many log-in attempts, try again later", retry_after=retry_after, detail=detail)
        self.bucket = bucket
        self.first = first
        """Nothing was refused here for a while: worth a line in log and audit log; the next thousand are not."""
