"""What may be said of a client on the command line, and its shape in the bodies of the admin API.

The fields that are used every day have an option of their own; all of them can be had through `--set`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from authserver.cli.output import fail

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
    "profile": "--profile",
    "jwks": "--jwks",
}
"""What the fields of a client are called on the command line: a refusal names what was typed."""

Name = Annotated[str | None, typer.Option("--name", help="For people.")]
Auth = Annotated[
    str | None,
    typer.Option("--auth-method", help="client_secret_basic, client_secret_post, private_key_jwt, none (public), ..."),
]
Grants = Annotated[
    list[str] | None,
    typer.Option("--grant", help="authorization_code, refresh_token, client_credentials, ...; may be repeated."),
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
ProfileName = Annotated[
    str | None, typer.Option("--profile", help="fapi2: the rules of FAPI 2.0; default: no more than the usual ones.")
]
Keys = Annotated[Path | None, typer.Option("--jwks", help="A file with its public keys, a JWK set.")]
Others = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Any field by its name in the admin API; lists with commas, @FILE for JSON; may be repeated.",
    ),
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
    profile: str | None,
    jwks: Path | None,
    others: list[str] | None,
) -> dict[str, object]:
    """What was named, in the shape of the admin API's bodies, whose rules then apply."""
    given: dict[str, object] = {
        "name": name,
        "auth_method": auth_method,
        "grant_types": grant or None,
        "scopes": words(scope),
        "resources": resource or None,
        "audiences": audience or None,
        "redirect_uris": redirect_uri or None,
        "first_party": first_party,
        "refresh_rotation": refresh_rotation,
        "profile": profile,
        "jwks": None if jwks is None else _json_file("--jwks", jwks),
    }
    fields = {field: _emptied(value) for field, value in given.items() if value is not None}
    if access_token_ttl is not None:
        fields["access_token_ttl"] = access_token_ttl or None
    return _joined(fields, others or ())


def _joined(fields: Mapping[str, object], others: Iterable[str]) -> dict[str, object]:
    joined = dict(fields)
    for setting in others:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            fail(f"--set {setting}: must be FIELD=VALUE")
        if name in joined:
            fail(f"--set {name}: was said already")
        joined[name] = _value(name, text)
    return joined


def _value(name: str, text: str) -> object:
    """As the field wants it; what fits no field is handed on as text and refused by the field's own reader."""
    if text.startswith("@"):
        return _json_file(f"--set {name}", Path(text[1:]))
    kind = _kinds().get(name, "str")
    if kind.startswith("tuple"):
        return [part for part in text.replace(",", " ").split() if part]
    if text == "" and "None" in kind:
        return None
    if kind == "bool":
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    if kind.startswith(("int", "Duration")):
        return int(text) if text.isascii() and text.isdecimal() else text
    return text


def _kinds() -> dict[str, str]:
    """The types of the fields, as they are written in the record."""
    from dataclasses import fields

    from authserver.model.client import Client

    return {field.name: str(field.type) for field in fields(Client)}


def _json_file(option: str, path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        fail(f"{option}: cannot read {path} as JSON: {error}")


def words(scopes: list[str] | None) -> list[str] | None:
    """`--scope "a b"` and `--scope a --scope b` mean the same."""
    return [word for scope in scopes for word in scope.split() or [""]] if scopes else None


def _emptied(value: object) -> object:
    return [] if value == [""] else value
