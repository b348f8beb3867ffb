"""What is measured: one entry a name, in the order in which they run (log-ins last: they use the most memory)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from benchmarks.codes import token_forms
from benchmarks.load.plan import Plan
from benchmarks.loader import NO_LIMIT
from benchmarks.measure import Effort
from benchmarks.site import RESOURCE, SCOPE, Site

BareName = Literal["signature", "two_signatures", "signature_check", "empty_answer", "password_hash"]

CONNECTIONS = 32
SEEN = 400
"""Distinct tokens that are introspected again and again: the server may know their signatures."""
UNSEEN = 2_000
"""Tokens of one window in which none is ever introspected twice."""
CODES = 1_000
"""Codes of one window: all are issued before the first one, and each is good for a minute."""


@dataclass(frozen=True, slots=True)
class Load:
    plan: Plan
    at_most: int = NO_LIMIT
    """Requests of one window."""
    distinct_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    bare: BareName
    prepare: Callable[[Site, Effort], Load]


def _jwks(site: Site, effort: Effort) -> Load:
    return Load(Plan(port=site.port, connections=CONNECTIONS, method="GET", path="/.well-known/jwks.json"))


def _client_credentials(site: Site, effort: Effort) -> Load:
    body = urlencode({"grant_type": "client_credentials", "scope": SCOPE, "resource": RESOURCE})
    return Load(
        Plan(
            port=site.port,
            connections=CONNECTIONS,
            path="/token",
            headers=site.service_headers,
            bodies=[body],
        )
    )


def _refresh(site: Site, effort: Effort) -> Load:
    return Load(site.refresh_plan(CONNECTIONS))


def _introspection(site: Site, effort: Effort) -> Load:
    return Load(_introspect(site, SEEN, "cycle"), distinct_tokens=SEEN)


def _introspection_unseen(site: Site, effort: Effort) -> Load:
    each = min(UNSEEN, int(UNSEEN * effort.seconds))
    total = each * (effort.windows + 1)
    return Load(_introspect(site, total, "once"), at_most=each, distinct_tokens=total)


def _introspect(site: Site, tokens: int, kind: Literal["cycle", "once"]) -> Plan:
    bodies = [urlencode({"token": token}) for token in site.access_tokens(tokens)]
    return Plan(
        port=site.port,
        connections=CONNECTIONS,
        kind=kind,
        path="/introspect",
        headers=site.service_headers,
        bodies=bodies,
        must_contain='"active":true',
    )


def _code_exchange(site: Site, effort: Effort) -> Load:
    return _codes(site, effort, SCOPE)


def _code_exchange_openid(site: Site, effort: Effort) -> Load:
    return _codes(site, effort, f"openid {SCOPE}")


def _codes(site: Site, effort: Effort, scope: str) -> Load:
    each = min(CODES, int(CODES * effort.seconds))
    bodies = token_forms(site, each * (effort.windows + 1), scope)
    plan = Plan(
        port=site.port,
        connections=CONNECTIONS,
        kind="once",
        path="/token",
        headers=site.web_headers,
        bodies=bodies,
        must_contain='"id_token"' if "openid" in scope else '"access_token"',
    )
    return Load(plan, at_most=each)


def _login(site: Site, effort: Effort) -> Load:
    bodies = [json.dumps(site.login_body(username)) for username in site.usernames]
    headers = {"Content-Type": "application/json"}
    return Load(Plan(port=site.port, connections=8, path="/login", headers=headers, bodies=bodies))


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("jwks", "empty_answer", _jwks),
        Scenario("client_credentials", "signature", _client_credentials),
        Scenario("refresh", "signature", _refresh),
        Scenario("introspection", "signature_check", _introspection),
        Scenario("introspection_unseen", "signature_check", _introspection_unseen),
        Scenario("code_exchange", "signature", _code_exchange),
        Scenario("code_exchange_openid", "two_signatures", _code_exchange_openid),
        Scenario("login", "password_hash", _login),
    )
}
