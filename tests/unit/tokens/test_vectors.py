"""Examples of the specifications: RFC 7515 appendix A (signatures), RFC 7638 section 3.1, RFC 8037 appendix A, RFC 9101
section 4 (a request object)."""

from __future__ import annotations

import json
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_iqmp,
)

from authserver.model.client import Client
from authserver.outgoing import Outgoing
from authserver.tokens.algorithms import ALGORITHMS, VerifyingKey
from authserver.tokens.client_jwt import ClientJwtRefused, Expected, read_client_jwt, verify_client_jwt
from authserver.tokens.client_keys import ClientKeys
from authserver.tokens.id_token import at_hash
from authserver.tokens.signingkey import thumbprint
from tests.unit.tokens.builders import base64url, unbase64url

PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

A2_N = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC"
    "gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6"
    "65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW"
    "yuXpoQ"
)
A2_D = (
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pW"
    "J1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2Qv"
    "Xt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRu"
    "OopznQ"
)
A2_P = (
    "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDc"
    "mnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc"
)
A2_Q = (
    "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-"
    "TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc"
)
A2_SIGNATURE = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t"
    "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
    "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"
    "Ge77Rw"
)
RFC_7638_N = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
    "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
    "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
    "nqDKgw"
)
RFC_9101_N = (
    "x5RbkAZkmpRxia65qRQ1wwSMSxQUnS7gcpVTV_cdHmfmG2ltd2yabEO9XadD8pJNZubINPpmgHh3J1aD9WRwS05ucmFq3CfFsluLt13_7oX5yDRS"
    "KX7poXmT_5ko8k4NJZPMAO8fPToDTH7kHYbONSE2FYa5GZ60CUsFhSonI-dcMDJ0Ary9lxIw5k2z4TAdARVWcS7sD07VhlMMshrwsPHBQgTatlkx"
    "yIHXbYdtak8fqvNAwr7OlVEvM_Ipf5OfmdB8Sd-wjzaBsyP4VhJKoi_qdgSzpC694XZeYPq45Sw-q51iFUlcOlTCI7z6jltUtnR6ySn6XDGFnzH5"
    "Fe5ypw"
)
RFC_9101_REQUEST = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsyYmRjIn0.ewogICAgImlzcyI6ICJzNkJoZFJrcXQzIiwKICAgICJhdWQiOiAiaHR0cHM6Ly9zZXJ2ZXIu"
    "ZXhhbXBsZS5jb20iLAogICAgInJlc3BvbnNlX3R5cGUiOiAiY29kZSBpZF90b2tlbiIsCiAgICAiY2xpZW50X2lkIjogInM2QmhkUmtxdDMiLAog"
    "ICAgInJlZGlyZWN0X3VyaSI6ICJodHRwczovL2NsaWVudC5leGFtcGxlLm9yZy9jYiIsCiAgICAic2NvcGUiOiAib3BlbmlkIiwKICAgICJzdGF0"
    "ZSI6ICJhZjBpZmpzbGRraiIsCiAgICAibm9uY2UiOiAibi0wUzZfV3pBMk1qIiwKICAgICJtYXhfYWdlIjogODY0MDAKfQ.Nsxa_18VUElVaPjqW"
    "_ToI1yrEJ67BgKb5xsuZRVqzGkfKrOIX7BCx0biSxYGmjK9KJPctH1OC0iQJwXu5YVY-vnW0_PLJb1C2HG-ztVzcnKZC2gE4i0vgQcpkUOCpW3SE"
    "YXnyWnKzuKzqSb1wAZALo5f89B_p6QA6j6JwBSRvdVsDPdulW8lKxGTbH82czCaQ50rLAg3EYLYaCb4ik4I1zGXE4fvim9FIMs8OCMmzwIB5S-uj"
    "FfzwFjoyuPEV4hJnoVUmXR_W9typPf846lGwA8h9G9oNTIuX8Ft2jfpnZdFmLg3_wr3Wa5q3a-lfbgF3S9H_8nN3j1i7tLR_5Nz-g"
)


def _number(text: str) -> int:
    return int.from_bytes(unbase64url(text))


def test_rfc_7515_a2_rs256_is_signed_to_the_byte() -> None:
    d, p, q = map(_number, (A2_D, A2_P, A2_Q))
    public = RSAPublicNumbers(65537, _number(A2_N))
    private = RSAPrivateNumbers(p, q, d, rsa_crt_dmp1(d, p), rsa_crt_dmp1(d, q), rsa_crt_iqmp(p, q), public)
    key, signing_input = private.private_key(), f"eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}".encode()
    rs256 = ALGORITHMS["RS256"]
    assert base64url(rs256.sign(key, signing_input)) == A2_SIGNATURE
    assert VerifyingKey(rs256, key.public_key()).verify(signing_input, unbase64url(A2_SIGNATURE))
    assert rs256.members(key.public_key()) == {"kty": "RSA", "n": A2_N, "e": "AQAB"}


def test_rfc_7515_a3_es256_is_read_and_its_key_written() -> None:
    key = derive_private_key(_number("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), SECP256R1())
    es256 = ALGORITHMS["ES256"]
    assert es256.members(key.public_key()) == {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }
    verifying, signing_input = VerifyingKey(es256, key.public_key()), f"eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}".encode()
    signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    assert verifying.verify(signing_input, unbase64url(signature))
    assert verifying.verify(signing_input, es256.sign(key, signing_input))
    assert not verifying.verify(signing_input + b"x", unbase64url(signature))


def test_rfc_7638_the_thumbprint_of_an_rsa_key() -> None:
    members = {"n": RFC_7638_N, "e": "AQAB", "kty": "RSA"}
    assert thumbprint(members) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_rfc_8037_a_ed25519_key_thumbprint_and_signature() -> None:
    key = Ed25519PrivateKey.from_private_bytes(unbase64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
    eddsa = ALGORITHMS["EdDSA"]
    members = eddsa.members(key.public_key())
    assert members == {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(members) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    signing_input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    assert base64url(eddsa.sign(key, signing_input)) == signature
    assert VerifyingKey(eddsa, key.public_key()).verify(signing_input, unbase64url(signature))


def test_openid_connect_core_a_at_hash() -> None:
    """Appendix A.3: the access token and the at_hash of the example."""
    assert at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"
    assert len(unbase64url(at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "EdDSA"))) == 32


async def test_rfc_9101_the_request_object_is_the_clients_and_lacks_only_an_end() -> None:
    """Section 4. It has no `exp`, which this server wants (decision 0130); whose it is, is looked at before that."""
    key = {"kty": "RSA", "kid": "k2bdc", "n": RFC_9101_N, "e": "AQAB"}
    client = Client(id="s6BhdRkqt3", name="App", auth_method="private_key_jwt", jwks=json.dumps({"keys": [key]}))
    expected = Expected(issuer=client.id, audience=("https://server.example.com",))
    nobody_is_asked = ClientKeys(cast(Outgoing, None))
    forged = RFC_9101_REQUEST.replace(".Nsxa_", ".Nsxb_")
    for token, genuine in ((RFC_9101_REQUEST, True), (forged, False)):
        with pytest.raises(ClientJwtRefused) as caught:
            await verify_client_jwt(nobody_is_asked, token, client, expected, 0)
        assert caught.value.genuine is genuine, caught.value.why
        assert ("exp" in caught.value.why) is genuine
    members = json.loads(read_client_jwt(RFC_9101_REQUEST).unverified_payload)
    assert (members["client_id"], members["max_age"]) == (client.id, 86400)


def test_the_payload_of_the_examples_is_what_it_is_said_to_be() -> None:
    assert json.loads(unbase64url(PAYLOAD)) == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
