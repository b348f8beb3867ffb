"""The two clients of panva, which refuse whatever is not by the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.conversation import converse
from tests.interop.provider import EMAIL, Provider
from tests.interop.surfer import Surfer

BACK, BYE = "https://rp.example/back", "https://rp.example/bye"
WEB = ("--redirect-uri", BACK, "--set", f"post_logout_redirect_uris={BYE}")


@pytest.mark.parametrize("way", ["plain", "par", "dpop", "par and dpop"])
@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
def test_openid_client(modules: Path, provider: Provider, surfer: Surfer, way: str, method: str) -> None:
    client = provider.client(f"{way.replace(' ', '-')}-{method}", *WEB, method=method)
    report = converse(
        modules,
        "openid_client.mjs",
        provider,
        surfer,
        client_id=client,
        secret=provider.secrets[client],
        redirect_uri=BACK,
        post_logout_redirect_uri=BYE,
        par="par" in way,
        dpop="dpop" in way,
    )
    assert report.pop("sub")
    assert report == {
        "email": EMAIL,
        "token_type": "dpop" if "dpop" in way else "bearer",
        "rotated": True,
        "same_user": True,
        "code_again": "invalid_grant",
        "refresh_after_replay": "invalid_grant",
        "bye": f"{BYE}?state=after",
    }


@pytest.mark.parametrize("method", ["none", "client_secret_post"])
def test_oauth4webapi(modules: Path, provider: Provider, surfer: Surfer, method: str) -> None:
    client = provider.client(f"strict-{method}", *WEB, method=method)
    report = converse(
        modules,
        "oauth4webapi.mjs",
        provider,
        surfer,
        client_id=client,
        secret=provider.secrets[client],
        redirect_uri=BACK,
    )
    assert report.pop("sub") == report.pop("access_token_sub")
    assert report == {
        "email": EMAIL,
        "same_metadata": True,
        "refresh_after_revocation": "invalid_grant",
        "silent": "login_required",
    }
