"""The `claims` parameter: single claims, asked for by name (OpenID Connect Core section 5.5)."""

from __future__ import annotations

from collections.abc import Mapping

from authserver.oauth.errors import InvalidRequest
from authserver.oauth.nested import NotReadable, read_json_value

PLACES = ("userinfo", "id_token")
MAX_CHARS = 4096
MAX_CLAIMS = 50
MAX_NAME = 100
MAX_VALUES = 20


def read_claims_request(text: str | None) -> dict[str, object]:
    """The members "userinfo" and "id_token" as {claim: {"essential"?, "value"?, "values"?} or None}; whatever else
    there is is not understood and ignored, as section 5.5 wants. Raises InvalidRequest."""
    if text is None:
        return {}
    try:
        asked = read_json_value(text, longest=MAX_CHARS)
    except NotReadable as error:
        raise InvalidRequest(f"claims {error}") from None
    if not isinstance(asked, dict):
        raise InvalidRequest("claims is not a JSON object")
    return {place: _place(place, asked[place]) for place in PLACES if asked.get(place)}


def _place(place: str, claims: object) -> dict[str, object]:
    if not isinstance(claims, dict):
        raise InvalidRequest(f"claims.{place} is not a JSON object")
    if len(claims) > MAX_CLAIMS or any(not name or len(name) > MAX_NAME for name in claims):
        raise InvalidRequest(f"claims.{place} asks for too much")
    return {name: _claim(place, wanted) for name, wanted in claims.items()}


def _claim(place: str, wanted: object) -> dict[str, object] | None:
    """None: in the default manner."""
    if wanted is None:
        return None
    if not isinstance(wanted, Mapping):
        raise InvalidRequest(f"claims.{place} holds a claim that is neither null nor an object")
    known = {name: wanted[name] for name in ("essential", "value", "values") if name in wanted}
    if not isinstance(known.get("essential", False), bool):
        raise InvalidRequest(f"claims.{place} holds an essential that is neither true nor false")
    values = known.get("values", [])
    if not isinstance(values, list) or len(values) > MAX_VALUES:
        raise InvalidRequest(f"claims.{place} holds values that are no list, or too many")
    return known
