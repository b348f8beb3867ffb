"""The settings as the rules of the packages below."""

from __future__ import annotations

from authserver.accounts.throttle import ThrottlePolicy
from authserver.model.time import MINUTE
from authserver.sessions.policy import SessionPolicy
from authserver.settings import Settings, SettingsError
from authserver.storage.interface import Housekeeping
from authserver.tokens.rotation import RotationPolicy


def policies(settings: Settings) -> tuple[SessionPolicy, RotationPolicy]:
    """The settings as the rules of sessions and keys; raises SettingsError where they contradict each other."""
    try:
        sessions = SessionPolicy(
            idle=settings.session_idle_ttl,
            absolute=settings.session_absolute_ttl,
            touch_interval=min(MINUTE, settings.session_idle_ttl // 2),
            refresh_idle=settings.refresh_idle_ttl,
            refresh_absolute=settings.refresh_absolute_ttl,
            unrefreshable=settings.access_token_ttl,
        )
        keys = RotationPolicy(
            algorithms=settings.signing_algorithms,
            bits=settings.signing_key_bits,
            interval=settings.key_rotation_interval,
            announce_before=settings.key_announce_before,
            access_token_ttl=settings.access_token_ttl,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return sessions, keys


def throttle_policy(settings: Settings) -> ThrottlePolicy:
    return ThrottlePolicy(
        account_burst=settings.login_account_burst,
        account_interval=settings.login_account_interval,
        known_burst=settings.login_known_burst,
        known_interval=settings.login_known_interval,
        address_limit=settings.login_address_limit,
        address_window=settings.login_address_window,
        address_parallel=settings.login_address_parallel,
        max_waiting=settings.password_queue,
    )


def housekeeping(settings: Settings) -> Housekeeping:
    return Housekeeping(
        token_ttl=settings.access_token_ttl, keep_dead=settings.keep_dead, keep_audit=settings.keep_audit
    )
