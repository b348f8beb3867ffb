"""Secrets that the server can make again, and no others (client_secret_jwt)."""

from __future__ import annotations

from authserver.model.client import Client, ClientSecret
from authserver.tokens.derived_secrets import DerivedSecrets
from authserver.tokens.handles import client_secret_hash
from authserver.tokens.masterkey import MasterKey

NOON = 1_800_000_000_000
SECRETS = DerivedSecrets(MasterKey(bytes(range(32))))


def kept(text: str, secret_id: str = "s1", expires_at: int | None = None) -> ClientSecret:
    return ClientSecret(id=secret_id, sha256=client_secret_hash(text), created_at=NOON, expires_at=expires_at)


def client(*secrets: ClientSecret, named: str = "app") -> Client:
    return Client(id=named, name="App", auth_method="client_secret_jwt", secrets=secrets)


def test_a_secret_is_the_same_each_time_and_another_for_each_client_id_and_master_key() -> None:
    one = SECRETS.text("app", "s1")
    others = [SECRETS.text("other", "s1"), SECRETS.text("app", "s2")]
    others.append(DerivedSecrets(MasterKey(bytes(range(1, 33)))).text("app", "s1"))
    assert one == SECRETS.text("app", "s1")
    assert len({one, *others}) == 4
    assert len(one) == 43


def test_of_a_clients_secrets_those_count_that_were_derived_and_have_not_expired() -> None:
    first, second, third = (SECRETS.text("app", name) for name in ("s1", "s2", "s3"))
    stored = client(kept(first), kept(second, "s2", NOON + 1), kept(third, "s3", NOON), kept("random" * 8, "s4"))
    assert list(SECRETS.of(stored, NOON)) == [first, second]


def test_the_secret_of_another_client_or_under_another_id_is_none() -> None:
    moved = client(kept(SECRETS.text("app", "s1")), named="other")
    renamed = client(kept(SECRETS.text("app", "s1"), "s2"))
    assert list(SECRETS.of(moved, NOON)) == list(SECRETS.of(renamed, NOON)) == []
