"""What may be said of a client on the command line, and its shape in the bodies of the admin API."""

from __future__ import annotations

from typing import Annotated

import typer

OPTIONS = {
    "client_id": "CLIENT_ID",
    "name": "--name",
    "auth_method": "--auth-method",
    "grant_types": "--grant",
    "scopes": "--scope",
    "resources": "--resource",
    "audiences": "--audience",
    "redirect_uris": "--redirect-uri",
    "first_party": "--first-party",
    "refresh_rotation": "--refresh-rotation",
    "access_token_ttl": "--access-token-ttl",
}
"""What the fields of a client are called on the command line: a refusal names what was typed."""

Name = Annotated[str | None, typer.Option("--name", help="For people.")]
Auth = Annotated[
    str | None, typer.Option("--auth-method", help="client_secret_basic, client_secret_post, or none (public).")
]
Grants = Annotated[
    list[str] | None, typer.Option("--grant", help="client_credentials or refresh_token; may be repeated.")
]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="A scope it may ask for; may be repeated.")]
Resources = Annotated[
    list[str] | None,
    typer.Option(
        "--resource", help="A resource (audience) it may ask tokens for; may be repeated. Default: the issuer."
    ),
]
Audiences = Annotated[
    list[str] | None, typer.Option("--audience", help="A resource it answers for and may introspect; may be repeated.")
]
Redirects = Annotated[list[str] | None, typer.Option("--redirect-uri", help="May be repeated.")]
FirstParty = Annotated[
    bool | None, typer.Option("--first-party/--third-party", help="May it send users' passwords to POST /login?")
]
Rotation = Annotated[str | None, typer.Option("--refresh-rotation", help="always or never.")]
Ttl = Annotated[
    int | None, typer.Option("--access-token-ttl", help="Seconds its access tokens live; 0: the server's default.")
]


def named_fields(
    name: str | None,
    auth_method: str | None,
    grant: list[str] | None,
    scope: list[str] | None,
    resource: list[str] | None,
    audience: list[str] | None,
    redirect_uri: list[str] | None,
    first_party: bool | None,
    refresh_rotation: str | None,
    access_token_ttl: int | None,
) -> dict[str, object]:
    """What was named, in the shape of the admin API's bodies, whose rules then apply."""
    given: dict[str, object] = {
        "name": name,
        "auth_method": auth_method,
        "grant_types": grant or None,
        "scopes": _words(scope),
        "resources": resource or None,
        "audiences": audience or None,
        "redirect_uris": redirect_uri or None,
        "first_party": first_party,
        "refresh_rotation": refresh_rotation,
    }
    fields = {field: _emptied(value) for field, value in given.items() if value is not None}
    if access_token_ttl is not None:
        fields["access_token_ttl"] = access_token_ttl or None
    return fields


def _words(scopes: list[str] | None) -> list[str] | None:
    """`--scope "a b"` and `--scope a --scope b` mean the same."""
    return [word for scope in scopes for word in scope.split() or [""]] if scopes else None


def _emptied(value: object) -> object:
    return [] if value == [""] else value
