"""Authorization codes to be traded: users log in once, then their browsers ask without seeing a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlencode

import httpx

from authserver.oauth.pkce import challenge_of
from benchmarks.process import StartError
from benchmarks.site import REDIRECT, RESOURCE, Site

VERIFIER = "benchmark-" * 5
"""The same for all: what it costs to check does not depend on it."""
_CODE = re.compile(rb'name="code" value="([^"]+)"')


def token_forms(site: Site, count: int, scope: str) -> list[str]:
    """As many token requests, each with a code of its own that was issued a moment ago and is good for a minute."""
    fixed = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return [urlencode({**fixed, "code": code}) for code in _codes(site, count, scope)]


def _codes(site: Site, count: int, scope: str) -> Iterator[str]:
    """Of all users in turn: codes of one session wait for each other."""
    # form_post has the code in the body, where no redirect is to be followed.
    query = {
        "response_type": "code",
        "response_mode": "form_post",
        "client_id": site.web_id,
        "redirect_uri": REDIRECT,
        "scope": scope,
        "resource": RESOURCE,
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    path = f"/authorize?{urlencode(query)}"
    cookies = [_session_cookie(site, username) for username in site.usernames]
    with closing(HTTPConnection("127.0.0.1", site.port)) as connection:
        for number in range(count):
            connection.request("GET", path, headers={"Cookie": cookies[number % len(cookies)]})
            body = connection.getresponse().read()
            code = _CODE.search(body)
            if code is None:
                raise StartError(f"GET /authorize gave no code: {body[:2000]!r}")
            yield code[1].decode()


def _session_cookie(site: Site, username: str) -> str:
    body = site.login_body(username) | {"mode": "session"}
    answer = httpx.post(f"http://127.0.0.1:{site.port}/login", json=body).raise_for_status()
    lines = answer.headers.get_list("set-cookie")
    return next(line.partition(";")[0] for line in lines if line.startswith("__Host-authserver="))
