"""What is to be authorized beyond scopes, in objects of the API's own making (RFC 9396)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from authserver.model.client import Client
from authserver.oauth.errors import InvalidAuthorizationDetails
from authserver.oauth.nested import MAX_CHARS, NotReadable, read_json_value

MAX_DETAILS = 20
_LISTS = ("locations", "actions", "datatypes", "privileges")
"""Common members that hold texts (RFC 9396 section 2.2); `identifier` is one text."""

Details: TypeAlias = tuple[Mapping[str, object], ...]


def read_details(client: Client, text: str | None) -> Details:
    """The objects of an `authorization_details` parameter, of types that the client may ask for.

    What their other members mean is known to the API alone; they are carried as they are. Raises
    InvalidAuthorizationDetails.
    """
    if text is None:
        return ()
    return tuple(_detail(item, client.authorization_details_types) for item in _objects(text))


def narrow_details(granted: Details, text: str | None) -> Details:
    """Those of the granted objects that a token request asks for, all when it names none (RFC 9396 section 6).

    Only whole objects can be left out: what an API would call less inside of one is not known here.
    """
    if text is None:
        return granted
    asked = tuple(_objects(text))
    if any(item not in granted for item in asked):
        raise InvalidAuthorizationDetails("authorization_details holds what was not granted")
    return tuple(item for item in granted if item in asked)


def _objects(text: str) -> Sequence[Mapping[str, object]]:
    try:
        items = read_json_value(text, longest=MAX_CHARS)
    except NotReadable as error:
        raise InvalidAuthorizationDetails(f"authorization_details {error}") from None
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise InvalidAuthorizationDetails("authorization_details is not a JSON array of objects")
    if len(items) > MAX_DETAILS:
        raise InvalidAuthorizationDetails("authorization_details has too many objects")
    return items


def _detail(item: Mapping[str, object], types: Collection[str]) -> Mapping[str, object]:
    if not isinstance(item.get("type"), str):
        raise InvalidAuthorizationDetails("an authorization detail has no type")
    if item["type"] not in types:
        raise InvalidAuthorizationDetails("an authorization detail has a type that this client may not ask for")
    for name in _LISTS:
        values = item.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InvalidAuthorizationDetails(f"{name} of an authorization detail is not a list of strings")
    if not isinstance(item.get("identifier", ""), str):
        raise InvalidAuthorizationDetails("identifier of an authorization detail is not a string")
    return item
