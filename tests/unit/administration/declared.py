"""Files and stored clients to try declarations with; each test names only what matters to it."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from authserver.administration.client_fields import Offer, client_readers
from authserver.administration.client_plan import Plan, make_plan
from authserver.administration.declarations import BadDeclarations, ClientRules, Declarations, read_declarations
from authserver.model.client import Client, ClientSecret

RULES = ClientRules(
    readers=client_readers(Offer(grant_types=("client_credentials", "refresh_token"), longest_token=300_000)),
    can_administer=lambda client: client.enabled and "admin" in client.scopes and bool(client.secrets),
)
SECRET = ClientSecret(id="0192c0de-0000-7000-8000-000000000000", sha256=b"x", created_at=1)


def read(text: str) -> Declarations:
    return read_declarations(tomllib.loads(text), RULES, ("issuer", "port"))


def faults(text: str) -> list[str]:
    with pytest.raises(BadDeclarations) as refused:
        read(text)
    return [str(fault) for fault in refused.value.faults]


def stored(client_id: str = "robot", **fields: Any) -> Client:
    """A confidential client as `clients add` registers it."""
    plain = Client(
        id=client_id,
        name=client_id,
        auth_method="client_secret_basic",
        grant_types=("client_credentials",),
        version=3,
        created_at=1_000,
        updated_at=2_000,
        secrets=(SECRET,),
    )
    return replace(plain, **fields)


def plan(text: str, *clients: Client, prune: bool = False) -> Plan:
    return make_plan(read(text), clients, RULES, prune=prune)


def plan_faults(text: str, *clients: Client, prune: bool = False) -> list[str]:
    with pytest.raises(BadDeclarations) as refused:
        plan(text, *clients, prune=prune)
    return [str(fault) for fault in refused.value.faults]
