"""authserver clients."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Desk


def test_a_confidential_client_gets_a_secret_that_is_shown_once(cli: Desk) -> None:
    added = cli.json("clients", "add", "robot", "--scope", "read", "--scope", "write", "--name", "The robot")
    assert len(added["client_secret"]) >= 43
    assert added["scopes"] == ["read", "write"]
    assert added["grant_types"] == ["client_credentials"]
    shown = cli.json("clients", "show", "robot")
    assert "client_secret" not in shown
    assert len(shown["secrets"]) == 1
    assert added["client_secret"].encode() not in (cli.directory / "authserver.db").read_bytes()
    assert cli.json("clients", "list") == [shown]
    assert "The robot" in cli("clients", "list").out


def test_text_output_prints_the_secret_on_a_line_of_its_own(cli: Desk) -> None:
    ran = cli("clients", "add", "robot")
    assert ran.out.splitlines()[-1].startswith("client secret  ")
    assert "once" in ran.err


def test_a_public_client_has_no_secret(cli: Desk) -> None:
    cli.app("app")
    assert cli.json("clients", "show", "app")["secrets"] == []
    refused = cli.try_("clients", "rotate-secret", "app")
    assert (refused.status, refused.err) == (1, "authserver: client app is public: it has no secrets\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("0192c0de-0000-7000-8000-000000000000",), "CLIENT_ID must not"),
        (("with space",), "CLIENT_ID may have"),
        (("a", "--auth-method", "magic"), "--auth-method must be one of"),
        (("a", "--grant", "password"), "--grant must be one of"),
        (("a", "--resource", "not a uri"), "--resource must hold"),
        (("a", "--redirect-uri", "javascript:alert(1)"), "--redirect-uri must hold"),
        (("a", "--auth-method", "none", "--grant", "client_credentials"), "--grant must not hold"),
        (("a", "--access-token-ttl", "999999"), "--access-token-ttl must be"),
        (("a", "--scope", 'qu"ote'), "--scope must hold"),
    ],
)
def test_what_cannot_be_registered_is_named(cli: Desk, arguments: tuple[str, ...], complaint: str) -> None:
    refused = cli.try_("clients", "add", *arguments)
    assert refused.status == 2
    assert complaint in refused.err
    assert cli.json("clients", "list") == []


def test_an_id_that_is_taken_is_status_1(cli: Desk) -> None:
    cli.program("robot")
    assert cli.try_("clients", "add", "robot").status == 1


def test_an_update_changes_what_is_named_and_nothing_else(cli: Desk) -> None:
    cli.program("robot", "--resource", "https://api.example.com", "--access-token-ttl", "60")
    before = cli.json("clients", "show", "robot")
    after = cli.json("clients", "update", "robot", "--scope", "read write", "--access-token-ttl", "0")
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"scopes", "access_token_ttl", "updated_at"}
    assert (after["scopes"], after["access_token_ttl"]) == (["read", "write"], None)
    assert cli.json("clients", "update", "robot", "--resource", "")["resources"] == []


def test_an_update_of_nothing_or_of_nobody_is_refused(cli: Desk) -> None:
    cli.program("robot")
    assert cli.try_("clients", "update", "robot").status == 2
    assert cli.try_("clients", "update", "nobody", "--name", "x").status == 1
    assert cli.try_("clients", "update", "robot", "--auth-method", "none").status == 2


def test_a_rotated_secret_works_beside_the_old_one_for_a_while(cli: Desk) -> None:
    cli.program("robot")
    new = cli.json("clients", "rotate-secret", "robot", "--retire-after", "10m")
    assert len(new["client_secret"]) >= 43
    ends = [secret["expires_at"] for secret in cli.json("clients", "show", "robot")["secrets"]]
    assert sorted(end is None for end in ends) == [False, True]
    assert cli.try_("clients", "rotate-secret", "robot", "--retire-after", "soon").status == 2
    assert cli.try_("clients", "rotate-secret", "nobody").status == 1


def test_disabling_refuses_what_the_client_was_issued(cli: Desk) -> None:
    cli.program("robot")
    cli.start_once()
    token = cli("token", "issue", "robot").out
    assert cli.try_("token", "verify", typed=token).status == 0
    assert cli.json("clients", "disable", "robot")["enabled"] is False
    assert cli.try_("token", "verify", typed=token).status == 1
    assert cli.json("clients", "enable", "robot")["enabled"] is True
    assert cli.try_("token", "verify", typed=token).status == 1
    assert cli.try_("clients", "disable", "nobody").status == 1


def test_removing_needs_a_yes_and_an_existing_client(cli: Desk) -> None:
    cli.program("robot")
    assert cli.try_("clients", "remove", "robot").status == 2
    assert cli.json("clients", "remove", "robot", "--yes") == {"client_id": "robot", "removed": True}
    assert cli.try_("clients", "remove", "robot", "--yes").status == 1
    assert cli.try_("clients", "show", "robot").status == 1


def test_the_last_client_that_can_administer_is_kept_unless_one_insists(cli: Desk) -> None:
    cli("clients", "add", "ops", "--scope", "admin")
    for command in (("disable", "ops"), ("remove", "ops", "--yes"), ("update", "ops", "--scope", "admin:read")):
        refused = cli.try_("clients", *command)
        assert (refused.status, "last client that can administer" in refused.err) == (1, True)
    assert cli.json("clients", "show", "ops")["enabled"] is True
    assert cli.json("clients", "disable", "ops", "--even-last")["enabled"] is False
    cli("clients", "enable", "ops")
    cli("clients", "remove", "ops", "--even-last", "--yes")
    assert cli.json("clients", "list") == []


def test_the_eleventh_secret_comes_only_if_the_others_are_to_end(cli: Desk) -> None:
    cli("clients", "add", "robot")
    for _ in range(9):
        cli("clients", "rotate-secret", "robot", "--retire-after", "never")
    refused = cli.try_("clients", "rotate-secret", "robot", "--retire-after", "never")
    assert (refused.status, "10 secrets" in refused.err) == (1, True)
    cli("clients", "rotate-secret", "robot")


# -- fields without an option of their own -------------------------------------------------------


def test_any_field_can_be_set_by_its_name(cli: Desk) -> None:
    cli.program("robot")
    after = cli.json(
        "clients", "update", "robot",
        "--set", "require_pushed_authorization_requests=true", "--set", "default_max_age=60",
        "--set", "contacts=ops@a.example, dev@a.example", "--set", "backchannel_logout_uri=https://a.example/logout",
    )  # fmt: skip
    assert (after["require_pushed_authorization_requests"], after["default_max_age"]) == (True, 60)
    assert after["contacts"] == ["ops@a.example", "dev@a.example"]
    assert after["backchannel_logout_uri"] == "https://a.example/logout"
    emptied = cli.json("clients", "update", "robot", "--set", "contacts=", "--set", "backchannel_logout_uri=")
    assert (emptied["contacts"], emptied["backchannel_logout_uri"]) == ([], None)


def test_keys_come_from_a_file_and_such_a_client_has_no_secret(cli: Desk) -> None:
    jwks = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "x" * 43}]}
    (cli.directory / "keys.json").write_text(json.dumps(jwks))
    added = cli.json("clients", "add", "partner", "--auth-method", "private_key_jwt", "--jwks", "keys.json")
    assert (added["jwks"], added["secrets"], "client_secret" in added) == (jwks, [], False)
    refused = cli.try_("clients", "rotate-secret", "partner")
    assert (refused.status, "authenticates by private_key_jwt" in refused.err) == (1, True)
    cli("clients", "update", "partner", "--set", "jwks=@keys.json")


def test_what_stands_at_its_default_is_not_shown_to_people(cli: Desk) -> None:
    cli.program("robot", "--set", "default_max_age=60")
    shown = cli("clients", "show", "robot").out
    assert "default max age" in shown
    assert "subject type" not in shown
    assert cli.json("clients", "show", "robot")["subject_type"] == "public"


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("require_pkce", "must be FIELD=VALUE"),
        ("=x", "must be FIELD=VALUE"),
        ("require_pkce=maybe", "require_pkce must be true or false"),
        ("default_max_age=soon", "default_max_age must be a whole number"),
        ("subject_type=secret", "subject_type must be one of"),
        ("magic=1", "magic is not a field"),
        ("name=x", "was said already"),
        ("origin=document", "origin is not a field"),
        ("jwks=@nowhere.json", "cannot read nowhere.json"),
    ],
)
def test_a_bad_setting_is_named_and_changes_nothing(cli: Desk, setting: str, complaint: str) -> None:
    refused = cli.try_("clients", "add", "robot", "--name", "Robot", "--set", setting)
    assert refused.status == 2
    assert complaint in refused.err
    assert cli.json("clients", "list") == []


def test_the_profile_is_one_word(cli: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    jwks = {"keys": [{"kty": "EC", "crv": "P-256", "x": "x" * 43, "y": "y" * 43}]}
    (cli.directory / "keys.json").write_text(json.dumps(jwks))
    refused = cli.try_("clients", "add", "bank", "--profile", "fapi2", "--jwks", "keys.json")
    assert "PS256, ES256 or EdDSA (FAPI 2.0 section 5.4.1)" in refused.err
    monkeypatch.setenv("AUTHSERVER_SIGNING_ALGORITHMS", "RS256,ES256")
    bank = cli.json("clients", "add", "bank", "--profile", "fapi2", "--jwks", "keys.json")
    assert (bank["auth_method"], bank["id_token_signed_response_alg"]) == ("private_key_jwt", "ES256")
    refused = cli.try_("clients", "update", "bank", "--refresh-rotation", "always")
    assert "--refresh-rotation must be never" in refused.err
