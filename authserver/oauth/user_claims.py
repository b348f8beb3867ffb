"""What a client is told about a user: by scope, and by name (OpenID Connect Core sections 5.4 and 5.5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from authserver.model.account import User
from authserver.model.client import Client
from authserver.model.time import SECOND
from authserver.storage.interface import UserStore

SCOPES: Final[Mapping[str, tuple[str, ...]]] = {
    "profile": (
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
"""Scope -> the claims that it asks for (section 5.4)."""

USER_CLAIMS: Final = tuple(claim for claims in SCOPES.values() for claim in claims)
"""Every claim there is about a user, `sub` apart."""


@dataclass(frozen=True, slots=True)
class UserClaims:
    users: UserStore

    async def claims_for(self, client: Client, user_id: str, requested: Mapping[str, object]) -> dict[str, object]:
        """What is known of the `requested` claims: one member of the `claims` parameter, "id_token" or "userinfo".
        Empty for a user who is gone."""
        if not requested:
            return {}
        user = await self.users.get(user_id)
        return {} if user is None else asked_by_name(user, requested)


def asked_by_scope(user: User, scope: Collection[str]) -> dict[str, object]:
    return _known(user, [claim for name, claims in SCOPES.items() if name in scope for claim in claims])


def asked_by_name(user: User, requested: Mapping[str, object]) -> dict[str, object]:
    """A claim whose value is not (one of) the requested one is left out, and so is one that is not known: to
    have asked for it as essential makes no difference (section 5.5.1)."""
    known = _known(user, [name for name in requested if name in USER_CLAIMS])
    return {name: value for name, value in known.items() if _is_wanted(value, requested[name])}


def _known(user: User, names: Collection[str]) -> dict[str, object]:
    """In the order of `names`; what nobody has said is not there, never null (section 5.3.2)."""
    everything = {"preferred_username": user.username, **user.claims, "updated_at": user.updated_at // SECOND}
    return {name: everything[name] for name in names if name in everything}


def _is_wanted(value: object, request: object) -> bool:
    """`request` is null, or an object with perhaps `value` or `values` (section 5.5.1)."""
    if not isinstance(request, Mapping):
        return request is None
    if "value" in request:
        return _same(value, request["value"])
    values = request.get("values")
    return values is None or (isinstance(values, list) and any(_same(value, one) for one in values))


def _same(value: object, wanted: object) -> bool:
    """As JSON has it: true is not 1."""
    return type(value) is type(wanted) and value == wanted
