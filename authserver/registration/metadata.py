"""Client metadata as RFC 7591 and OpenID Connect Registration write it, and the record it becomes.

An allow-list both ways: a member that is not here is ignored, whatever a client hopes to get by it, and the fields
that only administrators set (first_party, lifetimes, audiences, impersonation and the like) have no member.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from authserver.administration.client_rules import check_client
from authserver.administration.client_uris import kind_of
from authserver.administration.client_view import client_body
from authserver.administration.fields import Reader
from authserver.model.client import Client
from authserver.model.inputs import InvalidField
from authserver.oauth.errors import OAuthError
from authserver.registration.errors import (
    InvalidClientMetadata,
    InvalidSoftwareStatement,
    UnapprovedSoftwareStatement,
    refusal,
)
from authserver.registration.policy import RegistrationPolicy

RENAMED: Final[Mapping[str, str]] = {"client_name": "name", "token_endpoint_auth_method": "auth_method"}
"""Member -> field, where the names differ. `scope` and `response_types` have shapes of their own."""
SAME: Final = (
    "redirect_uris",
    "grant_types",
    "application_type",
    "jwks",
    "jwks_uri",
    "token_endpoint_auth_signing_alg",
    "require_pushed_authorization_requests",
    "require_signed_request_object",
    "request_object_signing_alg",
    "default_max_age",
    "default_acr_values",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
    "dpop_bound_access_tokens",
    "subject_type",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
    "contacts",
    "software_id",
    "software_version",
)
"""Members that are fields under the same name."""
FIELD_OF: Final[Mapping[str, str]] = {**RENAMED, **{name: name for name in SAME}}
_MEMBER_OF: Final[Mapping[str, str]] = {field: member for member, field in FIELD_OF.items()} | {"scopes": "scope"}
_REDIRECTS: Final = ("redirect_uris", "post_logout_redirect_uris")
_DEFAULTS: Final[Mapping[str, Any]] = {
    **{
        field.name: field.default
        for field in fields(Client)
        if field.name in FIELD_OF.values() and field.name != "name"
    },
    "auth_method": "client_secret_basic",
    "grant_types": ("authorization_code",),
}
"""What is meant by a member that is left out (RFC 7591 section 2)."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a client says of itself, each member read, nothing compared with anything yet."""

    fields: Mapping[str, Any]
    scopes: tuple[str, ...] | None
    """None: no `scope`."""

    def client(self, before: Client, policy: RegistrationPolicy, methods: Collection[str]) -> Client:
        """`before` with everything that a client may say replaced, and everything else as it was.

        Raises an error of RFC 7591 for what it may not have or what does not go together.
        """
        said = {**_DEFAULTS, "name": before.id, **self.fields}
        if said["auth_method"] not in methods:
            raise InvalidClientMetadata(f"token_endpoint_auth_method must be one of {', '.join(sorted(methods))}")
        policy.require_grants(said["grant_types"])
        if "application_type" not in self.fields:
            said["application_type"] = kind_of(said["redirect_uris"])
        client = replace(before, **said, scopes=policy.allowed_scopes(self.scopes), resources=policy.resources)
        if client.subject_type == "pairwise":
            client = replace(client, access_token_format="opaque")  # noqa: S106 (no password)
        try:
            check_client(client)
        except InvalidField as error:
            raise _refused(error) from None
        return client


def read_metadata(body: Mapping[str, object], readers: Mapping[str, Reader]) -> Metadata:
    """Null counts as left out. Raises an error of RFC 7591."""
    _refuse_statements(body)
    said = {member: value for member, value in body.items() if value is not None}
    if said.get("subject_type") == "pairwise" and "sector_identifier_uri" in said:
        raise InvalidClientMetadata("sector_identifier_uri is for an administrator to set")
    try:
        read = dict(_read(member, value, readers) for member, value in said.items() if member in FIELD_OF)
        scopes = _scopes(said["scope"], readers) if "scope" in said else None
    except InvalidField as error:
        raise _refused(error) from None
    _check_response_types(said.get("response_types"), read.get("grant_types", _DEFAULTS["grant_types"]))
    return Metadata(read, scopes)


def metadata_of(client: Client) -> dict[str, object]:
    """Everything that is registered, as the client would have to say it to stay as it is."""
    shown = client_body(client)
    members = {member: shown[field] for member, field in FIELD_OF.items()}
    stated = {member: value for member, value in members.items() if value not in (None, [])}
    return {
        "client_id": client.id,
        "client_id_issued_at": client.created_at // 1000,
        **stated,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "response_types": _response_types(client.grant_types),
        "scope": " ".join(client.scopes),
    }


def _read(member: str, value: object, readers: Mapping[str, Reader]) -> tuple[str, Any]:
    field = FIELD_OF[member]
    return field, readers[field](member, value)


def _response_types(grant_types: Collection[str]) -> list[str]:
    return ["code"] if "authorization_code" in grant_types else []


def _check_response_types(asked: object, grant_types: Collection[str]) -> None:
    if asked is None:
        return
    if not isinstance(asked, list) or any(item != "code" for item in asked):
        raise InvalidClientMetadata("response_types must be a list that holds nothing but code")
    if asked and "authorization_code" not in grant_types:
        raise InvalidClientMetadata("response_types holds code, grant_types not authorization_code")


def _scopes(value: object, readers: Mapping[str, Reader]) -> tuple[str, ...]:
    if not isinstance(value, str):
        raise InvalidField("scope", "must be a string of scopes with spaces between")
    scopes = readers["scopes"]("scope", list(dict.fromkeys(value.split())))
    return scopes if isinstance(scopes, tuple) else ()


def _refuse_statements(body: Mapping[str, object]) -> None:
    """Nobody's are believed here, and to ignore one would register something else than was stated (RFC 7591 2.3)."""
    statement = body.get("software_statement")
    if statement is None:
        return
    if not isinstance(statement, str) or statement.count(".") != 2:
        raise InvalidSoftwareStatement("software_statement is no signed JWT")
    raise UnapprovedSoftwareStatement("this server believes no software statements")


def _refused(error: InvalidField) -> OAuthError:
    return refusal(error, _MEMBER_OF.get(error.field, error.field), _REDIRECTS)
