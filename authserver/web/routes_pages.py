"""The part of the URL table that people open in a browser."""

from __future__ import annotations

from collections.abc import Iterable

from authserver.services import Services
from authserver.web.html import STATIC
from authserver.web.pages.account import LOGOUT, AccountPage, LogoutPage
from authserver.web.pages.consent import CONSENT, ConsentPage
from authserver.web.pages.device import DEVICE, DevicePage
from authserver.web.pages.login import LoginPage
from authserver.web.pages.static_files import StaticFiles
from authserver.web.pages.visitor import ACCOUNT, LOGIN, Visitors
from authserver.web.routing import Rule, rule


def page_routes(s: Services) -> Iterable[Rule]:
    visitors = Visitors(s.sessions, s.users, s.issuer)
    login = LoginPage(s.login, s.authorization_flow, visitors, s.form_tokens, s.now)
    consent = ConsentPage(s.authorization_flow, visitors)
    account = AccountPage(visitors, s.sessions, s.remembered_consents, s.client_cache)
    logout = LogoutPage(visitors, s.sessions)
    device = DevicePage(s.device_authorization, visitors)
    return (
        rule(LOGIN, page=True, get=login.get, post=login.post),
        rule(CONSENT, page=True, get=consent.get, post=consent.post),
        rule(ACCOUNT, page=True, get=account.get),
        rule(f"{ACCOUNT}/sessions/end-others", page=True, post=account.end_others),
        rule(f"{ACCOUNT}/sessions/{{session_id}}/end", page=True, post=account.end_session),
        rule(f"{ACCOUNT}/consents/withdraw", page=True, post=account.withdraw),
        rule(LOGOUT, page=True, get=logout.get, post=logout.post),
        rule(DEVICE, page=True, get=device.get, post=device.post),
        rule("/device", page=True, get=device.redirect, post=device.post),
        rule(f"{STATIC}/{{file}}", get=StaticFiles().get),
    )
