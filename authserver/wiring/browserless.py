"""What gets tokens without a browser of its own: devices, first-party applications, services behind services."""

from __future__ import annotations

from dataclasses import dataclass

from authserver.accounts.login import Login
from authserver.oauth.authorization import AuthorizationFlow
from authserver.oauth.challenge import AuthorizationChallenge
from authserver.oauth.device import DeviceAuthorization
from authserver.oauth.grants import DeviceCodeGrant, Grant, TokenExchangeGrant
from authserver.oauth.opening import Openings
from authserver.storage.interface import ClientLookup
from authserver.tokens.handles import References
from authserver.tokens.sealed import Sealed
from authserver.tokens.user_codes import UserCodes
from authserver.wiring.parts import Ground, Tokens


@dataclass(frozen=True, slots=True)
class BrowserlessParts:
    devices: DeviceAuthorization
    challenge: AuthorizationChallenge
    grants: tuple[Grant, ...]

    @classmethod
    def of(
        cls, ground: Ground, tokens: Tokens, clients: ClientLookup, login: Login, flow: AuthorizationFlow
    ) -> BrowserlessParts:
        stores, now, issuer = ground.stores, ground.now, ground.settings.issuer
        handles = References(ground.master, "device code")
        devices = DeviceAuthorization(
            devices=stores.devices,
            clients=clients,
            handles=handles,
            user_codes=UserCodes(ground.master),
            throttle=stores.throttle,
            audit=ground.audit,
            issuer=issuer,
            now=now,
        )
        device_code = DeviceCodeGrant(
            devices=stores.devices,
            handles=handles,
            sessions=stores.sessions,
            openings=Openings(tokens.refresh_handles, ground.session_policy, now),
            audit=ground.audit,
            now=now,
        )
        exchange = TokenExchangeGrant(tokens.access, issuer, stores.audit, ground.audit)
        challenge = AuthorizationChallenge(login, flow, Sealed(ground.master, "auth session"), now)
        return cls(devices, challenge, (device_code, exchange))
