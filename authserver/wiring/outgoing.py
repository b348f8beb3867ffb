"""Requests to the outside, as the settings want them."""

from __future__ import annotations

from authserver.outgoing import Outgoing, SystemResolver
from authserver.settings import Settings, SettingsError


def open_outgoing(settings: Settings) -> tuple[Outgoing, SystemResolver]:
    """With the resolver, which is to be closed; raises SettingsError for authorities that cannot be read."""
    resolver, authorities = SystemResolver(), settings.outgoing_ca_file
    try:
        outgoing = Outgoing(
            resolver,
            timeout=settings.outgoing_timeout,
            ca_file=None if authorities is None else str(authorities),
            allow_loopback=settings.outgoing_allow_loopback,
        )
    except OSError as error:  # ssl.SSLError among them
        raise SettingsError(f"outgoing_ca_file: {authorities} cannot be read: {error.strerror or error}") from None
    return outgoing, resolver
