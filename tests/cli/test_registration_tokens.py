"""authserver registration-tokens."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Desk


def test_a_token_is_shown_once_and_listed_without_its_text(cli: Desk) -> None:
    made = cli.json("registration-tokens", "add", "--label", "Conference", "--uses", "3", "--scope", "openid orders")
    assert made["initial_access_token"].encode() not in (cli.directory / "authserver.db").read_bytes()
    (listed,) = cli.json("registration-tokens", "list")
    assert listed == {name: value for name, value in made.items() if name != "initial_access_token"}
    assert (listed["uses_left"], listed["scopes"]) == (3, ["openid", "orders"])
    assert listed["expires_at"] is not None
    assert "Conference" in cli("registration-tokens", "list").out


def test_text_output_prints_the_token_on_a_line_of_its_own(cli: Desk) -> None:
    ran = cli("registration-tokens", "add", "--expires-in", "never")
    assert ran.out.splitlines()[-1].startswith("initial access token  ")
    assert "once" in ran.err
    assert cli.json("registration-tokens", "list")[0]["expires_at"] is None


def test_the_token_is_good_and_removing_it_ends_that(cli: Desk) -> None:
    made = cli.json("registration-tokens", "add")

    async def present(services: Any) -> str:
        from authserver.model.errors import InvalidToken

        try:
            return str((await services.initial_tokens.presented(made["initial_access_token"])).id)
        except InvalidToken:
            return "refused"

    assert cli.services(present) == made["token_id"]
    assert cli.try_("registration-tokens", "remove", made["token_id"]).status == 2
    cli("registration-tokens", "remove", made["token_id"], "--yes")
    assert cli.services(present) == "refused"
    assert cli.try_("registration-tokens", "remove", made["token_id"], "--yes").status == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--scope", "admin"), "--scope must not hold a scope that administers"),
        (("--uses", "0"), "--uses must be between"),
        (("--grant", "magic"), "--grant must be one of"),
        (("--expires-in", "soon"), "--expires-in"),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_made(cli: Desk, arguments: tuple[str, ...], complaint: str) -> None:
    refused = cli.try_("registration-tokens", "add", *arguments)
    assert refused.status == 2
    assert complaint in refused.err
    assert cli.json("registration-tokens", "list") == []


def test_a_client_that_registered_itself_gets_another_token(cli: Desk) -> None:
    cli.program("robot")
    assert cli.try_("registration-tokens", "renew", "robot").status == 1

    async def register(services: Any) -> Any:
        from authserver.model.audit import Caller

        made = cli_token["initial_access_token"]
        body = {"redirect_uris": ["https://app.example/cb"]}
        return await services.registrar.register(body, made, Caller(actor="anonymous", address="192.0.2.7"))

    cli_token = cli.json("registration-tokens", "add")
    registered = cli.services(register)
    renewed = cli.json("registration-tokens", "renew", registered.client.id)["registration_access_token"]
    assert renewed != registered.registration_token

    async def read(services: Any) -> str:
        return str((await services.registrar.read(registered.client.id, renewed)).client.id)

    assert cli.services(read) == registered.client.id
