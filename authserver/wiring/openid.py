"""OpenID Connect around the flow: userinfo, logging out, and telling clients of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authserver.oauth.backchannel_logout import BackchannelLogout
from authserver.oauth.end_session import EndSession
from authserver.oauth.logout_queue import LogoutQueue
from authserver.oauth.userinfo import UserInfo
from authserver.storage.interface import ClientLookup
from authserver.tokens import jwt
from authserver.tokens.id_token_hint import IdTokenHints
from authserver.tokens.logout_token import LogoutTokens
from authserver.wiring.parts import Ground, Tokens


@dataclass(frozen=True, slots=True)
class OpenIdParts:
    userinfo: UserInfo
    end_session: EndSession
    logout_queue: LogoutQueue

    @classmethod
    def of(cls, ground: Ground, tokens: Tokens, clients: ClientLookup) -> OpenIdParts:
        """`clients`: the exact way to look one up."""
        stores, issuer = ground.stores, ground.settings.issuer

        def sign(claims: Mapping[str, Any], algorithm: str, typ: str) -> str:
            return jwt.sign(claims, tokens.keys.signing_for(algorithm), typ)

        userinfo = UserInfo(stores.users, ground.client_cache, stores.families, tokens.subjects, issuer, sign)
        hints = IdTokenHints(tokens.id_tokens, tokens.keys)
        end_session = EndSession(hints, ground.client_cache, stores.families)
        backchannel = BackchannelLogout(
            stores.logouts,
            clients,
            LogoutTokens(issuer, tokens.keys, ground.now),
            tokens.subjects,
            ground.outgoing_logouts,
            ground.audit,
            stores.audit,
            ground.now,
        )
        return cls(userinfo, end_session, LogoutQueue(backchannel))
