"""Log-ins by the authorization code flow, the whole way through HTTP, for tests of what comes after it."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from authserver.model.account import User
from tests.browser import Browser
from tests.site import API, PASSWORD, Party, Site, claims_of

REDIRECT = "https://app.example/cb"
GOODBYE = "https://app.example/bye"
VERIFIER = "v" * 50
SCOPE = "openid"
SCOPES = ("openid", "profile", "email", "address", "phone", "offline_access", "read")


@dataclass
class OpenIdLogIn:
    browser: Browser
    user: User
    client: Party
    tokens: dict[str, Any]

    @property
    def id_token(self) -> str:
        return str(self.tokens["id_token"])

    @property
    def claims(self) -> dict[str, Any]:
        return claims_of(self.id_token)

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}


async def openid_client(site: Site, *, secret: bool = True, **fields: Any) -> Party:
    """First-party, so that nobody is asked for consent."""
    settled: dict[str, Any] = {
        "grant_types": ("authorization_code", "refresh_token"),
        "scopes": SCOPES,
        "resources": (API,),
        "redirect_uris": (REDIRECT,),
        "post_logout_redirect_uris": (GOODBYE,),
        "first_party": True,
        **fields,
    }
    return await site.client(secret=secret, **settled)


async def openid_log_in(
    site: Site,
    client: Party | None = None,
    user: User | None = None,
    browser: Browser | None = None,
    *,
    scope: str = SCOPE,
    claims: dict[str, object] | None = None,
    **parameters: str,
) -> OpenIdLogIn:
    """Tokens of a log-in through the pages; with a browser that has a session, without a password."""
    client, user = client or await openid_client(site), user or await site.user()
    browser = browser or Browser(site)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": client.record.redirect_uris[0],
        "scope": scope,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **({"claims": json.dumps(claims)} if claims else {}),
        **parameters,
    }
    page = await browser.get(f"/authorize?{urlencode(asked)}")
    if "login" in page.forms:
        page = await browser.submit("login", username=user.username, password=PASSWORD)
    answer = parse_qs(urlsplit(page.location).query)
    assert "code" in answer, f"{page.status} {page.location or page.text}"
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"][0],
        "redirect_uri": client.record.redirect_uris[0],
        "code_verifier": VERIFIER,
        **({} if client.secret else {"client_id": client.id}),
    }
    response = await site.http.post("/token", data=form, auth=client.auth)
    assert response.status_code == 200, response.text
    return OpenIdLogIn(browser, user, client, response.json())
