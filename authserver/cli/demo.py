"""Who and what `authserver dev` sets up to try the server with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

API = "http://127.0.0.1:9000"
"""The demo's resource server: tokens of the demo app are meant for it."""


@dataclass(frozen=True, slots=True)
class Demo:
    """Who and what the demo consists of; the same at each start."""

    username: str = "demo"
    password: str = field(default="", repr=False)
    service_secret: str = field(default="", repr=False)
    admin_secret: str = field(default="", repr=False)

    APP = "demo-app"
    SERVICE = "demo-service"
    ADMIN = "demo-admin"
    REDIRECT_URI = API + "/callback"
    CLAIMS: ClassVar[Mapping[str, object]] = {
        "name": "Demo User",
        "email": "demo@example.org",
        "email_verified": True,
    }
