"""Clients prove who they are by signed assertions and certificates, wherever they are asked (RFC 7523, RFC 8705)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from authlib.oauth2.rfc7523 import client_secret_jwt_sign, private_key_jwt_sign
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc.jwk import OctKey, RSAKey

from authserver.model.inputs import InvalidField
from tests.signers import ASSERTION_TYPE, LEFT_OUT, Signer, assertion_claims, b64, signer
from tests.site import ISSUER, PASSWORD, TEST, Party, Site, make_keys_dir, open_site
from tests.strangers import answer, authority, certificate, stranger

ALL = {
    "trusted_proxies": "192.0.2.0/24",
    "client_certificate_header": "Client-Cert",
    "client_certificate_verified_header": "Client-Cert-Verify",
    "client_secret_jwt": True,
    "outgoing_allow_loopback": True,
}


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(sqlite_url, make_keys_dir(tmp_path / "keys"), **ALL) as opened:
        yield opened


async def signing_client(site: Site, who: Signer, **fields: Any) -> Party:
    settled = {"auth_method": "private_key_jwt", "jwks": who.jwks(), "grant_types": ("client_credentials",), **fields}
    return await site.client(secret=False, **settled)


async def post(site: Site, path: str, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
    return await site.http.post(path, data=form, headers=headers)


async def token(site: Site, assertion: str, **form: str) -> httpx.Response:
    said = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, **form}
    return await post(site, "/token", grant_type="client_credentials", **said)


def assertion(site: Site, client: Party, who: Signer, audience: Any = ISSUER, **claims: Any) -> str:
    return who.assertion(client.id, audience, site.services.now(), **claims)


def refused(response: httpx.Response) -> str:
    """The description of an invalid_client."""
    assert response.status_code == 401, response.text
    assert response.json()["error"] == "invalid_client"
    assert "www-authenticate" not in response.headers
    assert response.headers["cache-control"] == "no-store"
    return str(response.json()["error_description"])


# -- private_key_jwt ------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_a_signed_assertion_gets_a_token_and_names_the_client_by_itself(site: Site, alg: str) -> None:
    client = await signing_client(site, signer(alg))
    response = await token(site, assertion(site, client, signer(alg)))
    assert response.status_code == 200, response.text
    assert response.json()["token_type"] == "Bearer"


async def test_the_same_client_id_may_stand_beside_it_and_another_may_not(site: Site) -> None:
    client = await signing_client(site, signer("ES256"))
    right = await token(site, assertion(site, client, signer("ES256")), client_id=client.id)
    assert right.status_code == 200
    assert "client_id" in refused(await token(site, assertion(site, client, signer("ES256")), client_id="other"))


async def test_every_endpoint_that_authenticates_clients_takes_it(site: Site) -> None:
    who = signer("ES256")
    client = await signing_client(
        site, who, first_party=True, audiences=(ISSUER,), redirect_uris=("https://a.example/",)
    )
    user = await site.user()

    def proof() -> dict[str, str]:
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion(site, client, who)}

    access = (await post(site, "/token", grant_type="client_credentials", **proof())).json()["access_token"]
    assert (await post(site, "/introspect", token=access, **proof())).json()["active"] is True
    assert (await post(site, "/revoke", token=access, **proof())).status_code == 200
    login = await site.http.post("/login", json={"username": user.username, "password": PASSWORD, **proof()})
    assert login.status_code == 200, login.text
    assert (await post(site, "/introspect", token=access)).status_code == 401


async def test_keys_behind_an_address_are_fetched(site: Site) -> None:
    who = signer("ES256")
    async with stranger(answer(who.jwks().encode())) as other:
        client = await signing_client(site, who, jwks=None, jwks_uri=f"http://127.0.0.1:{other.port}/jwks.json")
        for _ in range(3):
            assert (await token(site, assertion(site, client, who))).status_code == 200
    assert other.connections == 1


async def test_keys_that_cannot_be_had_refuse_the_client_without_a_word(site: Site) -> None:
    client = await signing_client(site, signer("ES256"), jwks=None, jwks_uri="https://10.0.0.1/jwks.json")
    assert refused(await token(site, assertion(site, client, signer("ES256")))) == "client authentication failed"


async def test_the_endpoint_or_the_token_endpoint_is_an_audience_only_for_clients_that_are_registered_as_old(
    site: Site,
) -> None:
    who = signer("ES256")
    strict, old = await signing_client(site, who), await signing_client(site, who, assertion_audience="legacy")
    for audience in (f"{ISSUER}/token", [f"{ISSUER}/token", ISSUER], [ISSUER, "https://other.example"]):
        assert "aud" in refused(await token(site, assertion(site, strict, who, audience)))
        assert (await token(site, assertion(site, old, who, audience))).status_code == 200
    assert (await token(site, assertion(site, old, who))).status_code == 200
    assert "aud" in refused(await token(site, assertion(site, old, who, f"{ISSUER}/introspect")))
    introspection = {"client_assertion_type": ASSERTION_TYPE, "token": "x"}
    for audience in (f"{ISSUER}/token", f"{ISSUER}/introspect"):
        proof = assertion(site, old, who, audience)
        assert (await post(site, "/introspect", client_assertion=proof, **introspection)).status_code == 200


async def test_the_log_says_which_switch_would_take_an_old_audience(site: Site, logged: Callable[[], str]) -> None:
    client = await signing_client(site, signer("ES256"))
    sent = assertion(site, client, signer("ES256"), f"{ISSUER}/token")
    refused(await token(site, sent))
    told = logged()
    assert "assertion_audience" in told
    assert "legacy" in told
    assert sent not in told


async def test_the_registered_algorithm_is_the_only_one(site: Site) -> None:
    who = signer("RS256")
    client = await signing_client(site, who, token_endpoint_auth_signing_alg="PS256")
    refused(await token(site, assertion(site, client, who)))
    claims = assertion_claims(client.id, ISSUER, site.services.now())
    assert (await token(site, who.sign(claims, alg="PS256"))).status_code == 200


async def test_a_client_of_the_fapi_profile_may_not_sign_with_rs256(site: Site) -> None:
    who = signer("RS256")
    client = await signing_client(site, who, profile="fapi2")
    refused(await token(site, assertion(site, client, who)))


async def test_an_assertion_without_its_type_or_of_another_is_a_malformed_request(site: Site) -> None:
    client = await signing_client(site, signer("ES256"))
    sent = assertion(site, client, signer("ES256"))
    saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
    for form in (
        {"client_assertion": sent},
        {"client_assertion": sent, "client_assertion_type": saml},
        {"client_assertion_type": ASSERTION_TYPE, "client_id": client.id},
    ):
        response = await post(site, "/token", grant_type="client_credentials", **form)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("method", ["private_key_jwt", "client_secret_jwt"])
async def test_the_most_used_library_of_old_assertions_works_with_the_switch_and_not_without(
    site: Site, method: str
) -> None:
    """Authlib names the token endpoint and lets its assertions live for an hour."""
    who, directory = signer("RS256"), site.services.client_directory
    fields = {"name": "Old", "auth_method": method, "grant_types": ["client_credentials"]}
    if method == "private_key_jwt":
        fields["jwks"] = json.loads(who.jwks())
    client, secret = await directory.add(fields, caller=TEST)
    endpoint = f"{ISSUER}/token"
    for switch, works in (("issuer", False), ("legacy", True)):
        await directory.update(client.id, {"assertion_audience": switch}, caller=TEST)
        if secret is None:
            sent = private_key_jwt_sign(RSAKey.import_key(who.private_pem), client.id, endpoint)
        else:
            sent = client_secret_jwt_sign(OctKey.import_key(secret.text), client.id, endpoint)
        response = await token(site, sent)
        assert (response.status_code == 200) is works, response.text


# -- client_secret_jwt ----------------------------------------------------------------------------


def with_secret(site: Site, client_id: str, secret: str) -> str:
    parts = [{"alg": "HS256"}, assertion_claims(client_id, ISSUER, site.services.now())]
    signing_input = ".".join(b64(json.dumps(part).encode()) for part in parts)
    return f"{signing_input}.{b64(hmac.digest(secret.encode(), signing_input.encode(), 'sha256'))}"


async def secret_jwt_client(site: Site) -> tuple[str, str]:
    fields = {"name": "Old", "auth_method": "client_secret_jwt", "grant_types": ["client_credentials"]}
    client, secret = await site.services.client_directory.add(fields, caller=TEST)
    assert secret is not None
    return client.id, secret.text


async def test_a_client_signs_with_a_secret_of_which_only_a_hash_is_kept(site: Site) -> None:
    client_id, secret = await secret_jwt_client(site)
    stored = await site.services.clients.get(client_id)
    assert stored is not None
    assert secret not in repr(stored)
    assert (await token(site, with_secret(site, client_id, secret))).status_code == 200
    refused(await token(site, with_secret(site, client_id, "guess" * 10)))


async def test_its_secrets_rotate_like_any_others(site: Site) -> None:
    client_id, first = await secret_jwt_client(site)
    directory = site.services.client_directory
    second = (await directory.add_secret(client_id, retire_others_in=None, caller=TEST)).text
    assert first != second
    for secret in (first, second):
        assert (await token(site, with_secret(site, client_id, secret))).status_code == 200
    third = (await directory.add_secret(client_id, retire_others_in=0, caller=TEST)).text
    refused(await token(site, with_secret(site, client_id, first)))
    assert (await token(site, with_secret(site, client_id, third))).status_code == 200


async def test_its_secret_is_no_password_and_a_random_secret_signs_nothing(site: Site) -> None:
    client_id, secret = await secret_jwt_client(site)
    for credentials in ({"auth": (client_id, secret)}, {"data": {"client_id": client_id, "client_secret": secret}}):
        data = {"grant_type": "client_credentials", **credentials.get("data", {})}  # type: ignore[dict-item]  # mixed values
        response = await site.http.post("/token", data=data, auth=credentials.get("auth"))  # type: ignore[arg-type]  # mixed values
        assert response.status_code == 401
    party = await site.client(auth_method="client_secret_jwt")
    refused(await token(site, with_secret(site, party.id, party.secret or "")))


async def test_the_secret_of_such_a_client_cannot_be_chosen_and_no_other_client_can_become_one(site: Site) -> None:
    directory, chosen = site.services.client_directory, "x" * 40
    fields = {"name": "Old", "auth_method": "client_secret_jwt", "grant_types": ["client_credentials"]}
    with pytest.raises(InvalidField, match="made by the server"):
        await directory.add(fields, caller=TEST, secret=chosen)
    party = await site.client()
    with pytest.raises(InvalidField, match="cannot become"):
        await directory.update(party.id, {"auth_method": "client_secret_jwt"}, caller=TEST)


# -- certificates ---------------------------------------------------------------------------------

SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example, Inc."),
        x509.NameAttribute(NameOID.COMMON_NAME, "robot"),
    ]
)
NAMES: list[x509.GeneralName] = [
    x509.DNSName("Robot.Example.com"),
    x509.UniformResourceIdentifier("spiffe://example.com/robot"),
    x509.IPAddress(ip_address("2001:db8::1")),
    x509.RFC822Name("robot@example.com"),
]


def shown(issued: x509.Certificate, verified: str = "SUCCESS") -> dict[str, str]:
    der = base64.b64encode(issued.public_bytes(Encoding.DER)).decode()
    return {"Client-Cert": f":{der}:", "Client-Cert-Verify": verified}


def issued_for(names: list[x509.GeneralName] | None = None, subject: x509.Name = SUBJECT) -> x509.Certificate:
    return authority().issue(subject, ec.generate_private_key(ec.SECP256R1()).public_key(), names)


async def by_certificate(site: Site, client: Party, headers: dict[str, str]) -> httpx.Response:
    return await post(site, "/token", headers, grant_type="client_credentials", client_id=client.id)


async def tls_client(site: Site, **fields: Any) -> Party:
    settled = {"auth_method": "tls_client_auth", "grant_types": ("client_credentials",), **fields}
    return await site.client(secret=False, **settled)


@pytest.mark.parametrize(
    "name",
    [
        "CN=robot,O=Example\\, Inc.,C=DE",
        "cn=robot, o=Example\\, Inc., c=DE",
        "2.5.4.3=robot,O=Example\\2C Inc.,C=DE",
        "CN = robot , O = Example\\, Inc. , C = DE",
    ],
)
async def test_the_subject_of_a_verified_certificate_is_compared_however_it_is_spelt(site: Site, name: str) -> None:
    client = await tls_client(site, tls_client_auth_subject_dn=name)
    response = await by_certificate(site, client, shown(issued_for()))
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "name",
    [
        "CN=robot,O=Example\\, Inc.",
        "C=DE,O=Example\\, Inc.,CN=robot",
        "CN=Robot,O=Example\\, Inc.,C=DE",
        "CN=robot,O=Example\\, Inc.,C=DE,C=DE",
        "CN=robot+O=Example\\, Inc.,C=DE",
        "CN=robot",
        "nonsense",
        "",
    ],
)
async def test_another_subject_is_refused(site: Site, name: str) -> None:
    client = await tls_client(site, tls_client_auth_subject_dn=name)
    assert refused(await by_certificate(site, client, shown(issued_for()))) == "client authentication failed"


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ("san_dns", "robot.example.com", "example.com"),
        ("san_uri", "spiffe://example.com/robot", "spiffe://example.com/robot2"),
        ("san_ip", "2001:DB8:0::1", "2001:db8::2"),
        ("san_email", "robot@example.com", "robot@example.org"),
    ],
)
async def test_an_alternative_name_is_compared_with_those_of_its_kind(
    site: Site, field: str, right: str, wrong: str
) -> None:
    headers = shown(issued_for(NAMES))
    for registered, status in ((right, 200), (wrong, 401)):
        client = await tls_client(site, **{f"tls_client_auth_{field}": registered})
        assert (await by_certificate(site, client, headers)).status_code == status
    client = await tls_client(site, **{f"tls_client_auth_{field}": right})
    refused(await by_certificate(site, client, shown(issued_for())))


@pytest.mark.parametrize("verified", ["", "NONE", "FAILED:self signed certificate", "success", "SUCCESS,SUCCESS"])
async def test_a_certificate_that_the_proxy_has_not_found_good_proves_no_name(site: Site, verified: str) -> None:
    client = await tls_client(site, tls_client_auth_san_dns="robot.example.com")
    refused(await by_certificate(site, client, shown(issued_for(NAMES), verified)))


async def test_a_proxy_may_hand_the_certificate_on_in_each_usual_form(site: Site) -> None:
    issued = issued_for(NAMES)
    pem = issued.public_bytes(Encoding.PEM).decode()
    client = await tls_client(site, tls_client_auth_san_dns="robot.example.com")
    bare = base64.b64encode(issued.public_bytes(Encoding.DER)).decode()
    for form in (f":{bare}:", quote(pem, safe=""), pem.replace("\n", " "), pem.replace("\n", "\t"), bare):
        response = await by_certificate(site, client, {"Client-Cert": form, "Client-Cert-Verify": "SUCCESS"})
        assert response.status_code == 200, form[:40]


async def test_what_is_no_certificate_is_said_to_be_none(site: Site) -> None:
    client = await tls_client(site, tls_client_auth_san_dns="robot.example.com")
    pem = issued_for(NAMES).public_bytes(Encoding.PEM).decode().replace("\n", " ")
    for form in (
        ":AAAA:",
        "nonsense",
        pem + pem,
        f"{pem},{pem}",
        pem[:200],
        "::",
        "%00",
        "-----BEGIN CERTIFICATE-----",
    ):
        response = await by_certificate(site, client, {"Client-Cert": form, "Client-Cert-Verify": "SUCCESS"})
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request"), form[:40]
    for nothing in ("", "(null)", "-"):
        refused(await by_certificate(site, client, {"Client-Cert": nothing, "Client-Cert-Verify": "NONE"}))


async def test_a_self_signed_certificate_counts_by_its_registered_key(site: Site) -> None:
    who, other = signer("ES256"), signer("ES256", 1)
    own = certificate(SUBJECT, who.private.public_key(), [], issuer=SUBJECT, signer=who.private)
    foreign = certificate(SUBJECT, other.private.public_key(), [], issuer=SUBJECT, signer=other.private)
    der = base64.b64encode(own.public_bytes(Encoding.DER)).decode()
    for registered in (who.jwks(), who.jwks(x5c=[der])):
        client = await tls_client(site, auth_method="self_signed_tls_client_auth", jwks=registered)
        assert (await by_certificate(site, client, shown(own, "FAILED:self signed"))).status_code == 200
        refused(await by_certificate(site, client, shown(foreign, "SUCCESS")))
        refused(await by_certificate(site, client, {}))


async def test_self_signed_certificates_are_looked_up_behind_an_address_too(site: Site) -> None:
    who = signer("ES256")
    own = certificate(SUBJECT, who.private.public_key(), [], issuer=SUBJECT, signer=who.private)
    async with stranger(answer(who.jwks().encode())) as other:
        fields = {"auth_method": "self_signed_tls_client_auth", "jwks_uri": f"http://127.0.0.1:{other.port}/"}
        client = await tls_client(site, **fields)
        assert (await by_certificate(site, client, shown(own, "NONE"))).status_code == 200


# -- which methods there are ----------------------------------------------------------------------


async def test_the_metadata_names_the_methods_that_are_on(site: Site) -> None:
    document = (await site.http.get("/.well-known/oauth-authorization-server")).json()
    for endpoint in ("token", "revocation"):
        assert set(document[f"{endpoint}_endpoint_auth_methods_supported"]) == {
            "client_secret_basic",
            "client_secret_post",
            "client_secret_jwt",
            "private_key_jwt",
            "tls_client_auth",
            "self_signed_tls_client_auth",
            "none",
        }
        algorithms = document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert algorithms == ["RS256", "PS256", "ES256", "EdDSA", "HS256"]
    assert "none" not in document["introspection_endpoint_auth_methods_supported"]


async def test_methods_that_are_off_are_neither_announced_nor_taken(sqlite_url: str, tmp_path: Path) -> None:
    async with open_site(sqlite_url, make_keys_dir(tmp_path / "keys"), **ALL) as before:
        old_id, secret = await secret_jwt_client(before)
    async with open_site(sqlite_url, make_keys_dir(tmp_path / "keys"), trusted_proxies="192.0.2.0/24") as plain:
        assert "is off" in refused(await token(plain, with_secret(plain, old_id, secret)))
        document = (await plain.http.get("/.well-known/oauth-authorization-server")).json()
        announced = document["token_endpoint_auth_methods_supported"]
        assert set(announced) == {"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}
        assert "HS256" not in document["token_endpoint_auth_signing_alg_values_supported"]
        client = await tls_client(plain, tls_client_auth_san_dns="robot.example.com")
        refused(await by_certificate(plain, client, shown(issued_for(NAMES))))
        party = await plain.client(auth_method="client_secret_jwt")
        refused(await token(plain, with_secret(plain, party.id, party.secret or "")))
        fields = {"name": "Old", "auth_method": "client_secret_jwt", "grant_types": ["client_credentials"]}
        with pytest.raises(InvalidField):
            await plain.services.client_directory.add(fields, caller=TEST)


async def test_an_assertion_whose_claims_are_wrong_is_told_why_only_when_its_signature_is_right(site: Site) -> None:
    client = await signing_client(site, signer("ES256"))
    expired = site.services.now() // 1000 - 100
    assert "expired" in refused(await token(site, assertion(site, client, signer("ES256"), exp=expired)))
    forged = signer("ES256", 1).assertion(client.id, ISSUER, site.services.now(), {"kid": "ES256-0"}, exp=expired)
    assert refused(await token(site, forged)) == "client authentication failed"
    assert "jti" in refused(await token(site, assertion(site, client, signer("ES256"), jti=LEFT_OUT)))
