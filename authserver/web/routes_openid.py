"""The part of the URL table that OpenID Connect adds to the flow."""

from __future__ import annotations

from collections.abc import Iterable

from authserver.services import Services
from authserver.web.answers import look
from authserver.web.end_session import PATH, EndSessionEndpoint
from authserver.web.pages.visitor import Visitors
from authserver.web.possession import Possession
from authserver.web.routing import Rule, rule
from authserver.web.userinfo import UserInfoEndpoint


def openid_routes(s: Services, possession: Possession) -> Iterable[Rule]:
    userinfo = UserInfoEndpoint(s.access_tokens, possession, s.userinfo)
    logout = EndSessionEndpoint(s.end_session, Visitors(s.sessions, s.users, s.issuer), s.sessions)
    return (
        rule("/userinfo", get=userinfo.get, post=userinfo.post, cors=True),
        rule(PATH, get=logout.get, head=look, post=logout.post, page=True),
    )
