"""By which `sub` a client knows a user (OpenID Connect Core section 8)."""

from __future__ import annotations

import pytest

from authserver.model.client import Client
from authserver.oauth.subjects import Subjects, sector_of

USER, OTHER = "01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002"
SUBJECTS = Subjects(bytes(32))


def pairwise(client_id: str = "app", *redirect_uris: str, sector: str | None = None) -> Client:
    return Client(
        id=client_id,
        name="App",
        auth_method="none",
        redirect_uris=redirect_uris or ("https://app.example/cb",),
        subject_type="pairwise",
        sector_identifier_uri=sector,
    )


def test_a_public_client_knows_the_user_by_the_user_id() -> None:
    assert SUBJECTS.of(Client(id="app", name="App", auth_method="none"), USER) == USER


def test_a_pairwise_subject_is_stable_short_ascii_and_tells_nothing() -> None:
    subject = SUBJECTS.of(pairwise(), USER)
    assert subject == SUBJECTS.of(pairwise(), USER)
    assert subject.isascii()
    assert len(subject) == 43
    assert USER not in subject
    assert subject != SUBJECTS.of(pairwise(), OTHER)
    assert subject != Subjects(bytes(31) + b"\1").of(pairwise(), USER)


def test_clients_of_one_sector_know_a_user_by_the_same_name_and_others_by_another() -> None:
    here = SUBJECTS.of(pairwise("one", "https://app.example/cb"), USER)
    assert SUBJECTS.of(pairwise("two", "https://APP.example/other", "https://app.example:8443/"), USER) == here
    assert SUBJECTS.of(pairwise("two", "https://else.example/cb"), USER) != here
    named = pairwise("two", "https://a.example/", "https://b.example/", sector="https://app.example/uris.json")
    assert SUBJECTS.of(named, USER) == here


@pytest.mark.parametrize(
    "redirect_uris",
    [
        ("https://a.example/", "https://b.example/"),
        ("com.example.app:/cb",),
        ("com.example.app:/cb", "https://a.example"),
    ],
)
def test_a_client_without_one_host_is_a_sector_of_its_own(redirect_uris: tuple[str, ...]) -> None:
    one, two = pairwise("one", *redirect_uris), pairwise("two", *redirect_uris)
    assert sector_of(one) == "client one"
    assert SUBJECTS.of(one, USER) != SUBJECTS.of(two, USER)


def test_no_host_can_be_named_like_a_client() -> None:
    assert sector_of(pairwise("one", "com.example.app:/cb")) != sector_of(pairwise("x", "https://client%20one/cb"))
