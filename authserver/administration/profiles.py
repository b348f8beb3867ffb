"""Profiles: one word for a set of rules that a client keeps. `fapi2` is the FAPI 2.0 Security Profile (final).

Choosing a profile settles what is not said in the same breath; what is said and contradicts it is refused, with the
rule. While a client has the profile, no change can break it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from authserver.administration.client_keys import key_types
from authserver.administration.client_uris import is_local
from authserver.administration.fields import Reader
from authserver.model.client import FAPI_ALGORITHMS, Client
from authserver.model.inputs import InvalidField

_FAPI_METHODS = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
_ALGORITHM_OF: Mapping[tuple[str, str | None], str] = {
    ("RSA", None): "PS256",
    ("EC", "P-256"): "ES256",
    ("OKP", "Ed25519"): "EdDSA",
}


class Rule(NamedTuple):
    field: str
    keeps: Callable[[Client], bool]
    problem: str


def _in(name: str, *, or_none: bool = False) -> Callable[[Client], bool]:
    allowed = (*FAPI_ALGORITHMS, None) if or_none else FAPI_ALGORITHMS
    return lambda client: getattr(client, name) in allowed


_SIGNED = "must be PS256, ES256 or EdDSA (FAPI 2.0 section 5.4.1)"
_BOUND = "or tls_client_certificate_bound_access_tokens must be true (FAPI 2.0 section 5.3.2.1)"

FAPI2: Final[tuple[Rule, ...]] = (
    Rule(
        "auth_method",
        lambda client: client.auth_method in _FAPI_METHODS,
        f"must be one of {', '.join(_FAPI_METHODS)} (FAPI 2.0 section 5.3.2.1)",
    ),
    Rule(
        "token_endpoint_auth_signing_alg",
        lambda c: c.auth_method != "private_key_jwt" or c.token_endpoint_auth_signing_alg in FAPI_ALGORITHMS,
        _SIGNED,
    ),
    Rule(
        "assertion_audience",
        lambda client: client.assertion_audience == "issuer",
        "must be issuer (FAPI 2.0 section 5.3.2.1)",
    ),
    Rule(
        "require_pushed_authorization_requests",
        lambda client: client.require_pushed_authorization_requests or "authorization_code" not in client.grant_types,
        "must be true (FAPI 2.0 section 5.3.2.2)",
    ),
    Rule("require_pkce", lambda client: client.require_pkce, "must be true (FAPI 2.0 section 5.3.2.2)"),
    Rule("request_object_signing_alg", _in("request_object_signing_alg", or_none=True), _SIGNED),
    Rule(
        "dpop_bound_access_tokens",
        lambda client: client.dpop_bound_access_tokens or client.tls_client_certificate_bound_access_tokens,
        _BOUND,
    ),
    Rule(
        "refresh_rotation",
        lambda client: client.refresh_rotation == "never",
        "must be never (FAPI 2.0 section 5.3.2.1)",
    ),
    Rule(
        "redirect_uris",
        lambda client: all(
            uri.startswith("https://") or (client.is_native and is_local(uri)) for uri in client.redirect_uris
        ),
        "must be https, or loopback for a native application (FAPI 2.0 section 5.3.2.2)",
    ),
    Rule("access_token_signed_response_alg", _in("access_token_signed_response_alg"), _SIGNED),
    Rule("id_token_signed_response_alg", _in("id_token_signed_response_alg"), _SIGNED),
    Rule("userinfo_signed_response_alg", _in("userinfo_signed_response_alg", or_none=True), _SIGNED),
    Rule("introspection_signed_response_alg", _in("introspection_signed_response_alg", or_none=True), _SIGNED),
)


def check(client: Client) -> None:
    """Raises InvalidField for the first rule of its profile that the client breaks."""
    if client.profile != "fapi2":
        return
    for rule in FAPI2:
        if not rule.keeps(client):
            raise InvalidField(rule.field, f"{rule.problem}, as profile fapi2 demands")


def settled(client: Client, stated: Collection[str], readers: Mapping[str, Reader]) -> Client:
    """The client with what its profile demands in every field that is not among the `stated` ones.

    To be asked when the profile is chosen. What cannot be settled (keys, for instance) is left for `check` to refuse.
    """
    if client.profile != "fapi2":
        return client
    if client.auth_method not in _FAPI_METHODS and "auth_method" not in stated:
        client = replace(client, auth_method="private_key_jwt")
    for name, value in _demanded(client, readers):
        if name not in stated:
            client = replace(client, **{name: value})
    return client


def _demanded(client: Client, readers: Mapping[str, Reader]) -> Iterator[tuple[str, Any]]:
    yield "assertion_audience", "issuer"
    yield "require_pushed_authorization_requests", True
    yield "require_pkce", True
    yield "refresh_rotation", "never"
    if not client.tls_client_certificate_bound_access_tokens:
        yield "dpop_bound_access_tokens", True
    signed = _signs_with(readers)
    for name in ("access_token_signed_response_alg", "id_token_signed_response_alg"):
        if getattr(client, name) not in FAPI_ALGORITHMS:
            yield name, signed
    own = _keys_sign_with(client)
    if client.auth_method == "private_key_jwt" and own is not None:
        yield "token_endpoint_auth_signing_alg", own
    if own is not None:
        yield "request_object_signing_alg", own


def _signs_with(readers: Mapping[str, Reader]) -> str | None:
    """The first of FAPI's algorithms that this server has on; None if it has none of them."""
    read = readers["access_token_signed_response_alg"]
    for algorithm in FAPI_ALGORITHMS:
        try:
            read("access_token_signed_response_alg", algorithm)
        except InvalidField:
            continue
        return algorithm
    return None


def _keys_sign_with(client: Client) -> str | None:
    """What the keys that it handed in are good for; None if they are elsewhere."""
    kinds = key_types(client.jwks) if client.jwks is not None else []
    return next((_ALGORITHM_OF[kind] for kind in kinds if kind in _ALGORITHM_OF), None)
