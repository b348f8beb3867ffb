"""authserver keys, and what every command says when it cannot start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from authserver.cli import COMMANDS, NOUNS, build
from tests.cli.conftest import Desk


def states(cli: Desk) -> list[str]:
    return sorted(key["state"] for key in cli.json("keys", "list"))


def test_before_the_first_start_there_are_no_keys(cli: Desk) -> None:
    assert cli.json("keys", "list") == []
    assert "no keys yet" in cli("keys", "list").err


def test_a_rotation_announces_first_and_signs_later(cli: Desk) -> None:
    cli.start_once()
    assert states(cli) == ["active"]
    assert cli.json("keys", "rotate", "--reason", "routine")["state"] == "announced"
    assert states(cli) == ["active", "announced"]
    assert "announced" in cli("keys", "list").out


def test_now_signs_at_once_and_keeps_the_old_key_published(cli: Desk) -> None:
    cli.start_once()
    cli("keys", "rotate", "--now")
    assert states(cli) == ["active", "retired"]


def test_an_emergency_withdraws_the_old_key_and_refuses_what_it_signed(cli: Desk) -> None:
    cli.program("robot")
    cli.start_once()
    token = cli("token", "issue", "robot").out
    unasked = cli.try_("keys", "rotate", "--now", "--revoke")
    assert (unasked.status, unasked.err.endswith("; add --yes to do it\n")) == (2, True)
    assert "?" not in unasked.err, "nobody is asked"
    assert cli.try_("keys", "rotate", "--revoke", "--yes").status == 2, "not without --now"
    cli("keys", "rotate", "--now", "--revoke", "--yes", "--reason", "stolen backup")
    assert states(cli) == ["active", "revoked"]
    assert cli.try_("token", "verify", typed=token).status == 1
    story = cli.try_("token", "explain", "--json", typed=token).json
    assert [refusal["rule"] for refusal in story["refused_by"]] == ["kid"]
    assert "stolen backup" in str(story["events"])


def test_retiring_hands_over_and_only_the_active_key_can_be_retired(cli: Desk) -> None:
    cli.start_once()
    (key,) = cli.json("keys", "list")
    assert cli.json("keys", "retire", key["kid"])["state"] == "retired"
    assert states(cli) == ["active", "retired"]
    announced = cli.json("keys", "rotate")["kid"]
    assert cli.try_("keys", "retire", announced).status == 1
    assert cli.try_("keys", "retire", "nobody").status == 1


# -- starting ---------------------------------------------------------------------------------


def test_a_missing_master_key_is_named_in_one_line(cli: Desk) -> None:
    (cli.directory / "keys" / "master.key").unlink()
    ran = cli.try_("users", "list")
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "master.key" in ran.err


def test_an_empty_database_names_the_command(cli: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSERVER_DATABASE_URL", f"sqlite+aiosqlite:///{cli.directory}/other.db")
    ran = cli.try_("users", "list")
    assert ran.status == 2
    assert "authserver migrate" in ran.err


def test_a_misspelt_setting_is_refused_with_the_right_name(cli: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSERVER_DATABSE_URL", "x")
    ran = cli.try_("users", "list")
    assert ran.status == 2
    assert "AUTHSERVER_DATABASE_URL" in ran.err


def test_an_unreachable_database_is_told_without_its_password(cli: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSERVER_DATABASE_URL", "postgresql+asyncpg://ada:hunter2@127.0.0.1:1/none")
    ran = cli.try_("users", "list")
    assert ran.status == 2
    assert "database" in ran.err
    assert "hunter2" not in ran.err


def test_a_dead_redis_stops_no_command_and_does_not_mix_into_its_output(
    cli: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHSERVER_REDIS_URL", "redis://127.0.0.1:1")
    cli.user("ada")
    assert cli.json("revoke", "user", "ada", "--yes")["changed"] is True
    assert cli.json("clients", "add", "robot")["client_id"] == "robot"


def test_help_lists_every_command_and_comes_quickly() -> None:
    before = os.times()
    ran = subprocess.run([sys.executable, "-m", "authserver", "--help"], capture_output=True, text=True, check=True)
    after = os.times()
    took = after.children_user + after.children_system - before.children_user - before.children_system
    for name in (*COMMANDS, *NOUNS):
        assert f"\n  {name} " in ran.stdout
    assert "..." not in ran.stdout.replace("[ARGS]...", "")
    assert took < 2, "seconds of CPU: 0.1 on an idle machine"


def test_what_help_says_of_a_command_is_not_cut_off(cli: Desk) -> None:
    assert "...\n" not in "".join(cli(noun, "--help").out for noun in NOUNS).replace("[ARGS]...", "")


def test_help_loads_neither_the_database_layer_nor_the_terminal_library() -> None:
    code = (
        "import sys; from authserver.cli import build; build();"
        "print([m for m in ('sqlalchemy','rich','starlette','cryptography','alembic','pydantic') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_only_the_asked_branch_is_built() -> None:
    assert [group.name for group in build("users").registered_groups] == ["users"]
    assert len(build("nonsense").registered_groups) == len(NOUNS)


def test_an_unknown_command_is_status_2(cli: Desk) -> None:
    assert cli.try_("nonsense").status == 2
    assert cli.try_("users", "nonsense").status == 2
    assert cli.try_("users", "list", "--nonsense").status == 2


# -- other algorithms -------------------------------------------------------------------------


def test_each_algorithm_has_its_keys_and_rotates_by_itself(cli: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSERVER_SIGNING_ALGORITHMS", "ES256, EdDSA")
    cli.start_once()
    assert sorted(key["algorithm"] for key in cli.json("keys", "list")) == ["ES256", "EdDSA", "RS256"]
    new = cli.json("keys", "rotate", "--algorithm", "ES256", "--now")
    assert (new["algorithm"], new["state"]) == ("ES256", "active")
    assert states(cli) == ["active", "active", "active", "retired"]
    refused = cli.try_("keys", "rotate", "--algorithm", "PS256")
    assert (refused.status, "SIGNING_ALGORITHMS does not name it" in refused.err) == (1, True)
    cli("keys", "rotate", "--algorithm", "EdDSA", "--now", "--revoke", "--yes")
    told = {(key["algorithm"], key["state"]) for key in cli.json("keys", "list")}
    assert {("EdDSA", "revoked"), ("EdDSA", "active"), ("RS256", "active")} <= told


def test_an_algorithm_that_is_given_up_has_its_key_retired(cli: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSERVER_SIGNING_ALGORITHMS", "ES256")
    cli.start_once()
    monkeypatch.delenv("AUTHSERVER_SIGNING_ALGORITHMS")
    (kid,) = [key["kid"] for key in cli.json("keys", "list") if key["algorithm"] == "ES256"]
    assert cli.json("keys", "retire", kid)["state"] == "retired"
    assert states(cli) == ["active", "retired"]


def test_an_algorithm_that_does_not_exist_is_a_setting_that_does_not_hold(
    cli: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHSERVER_SIGNING_ALGORITHMS", "HS256")
    refused = cli.try_("keys", "list")
    assert refused.status == 2
    assert "AUTHSERVER_SIGNING_ALGORITHMS" in refused.err
