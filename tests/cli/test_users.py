"""authserver users."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import PASSWORD, Desk


def test_a_user_is_added_listed_and_found_again(cli: Desk) -> None:
    added = cli.json("users", "add", "Ada", "--password-stdin", typed=f"{PASSWORD}\n")
    assert (added["username"], added["enabled"], added["has_password"]) == ("Ada", True, True)
    assert cli.json("users", "list") == [added]
    assert "Ada" in cli("users", "list").out
    assert cli.json("users", "list", "--query", "nobody") == []


def test_a_generated_password_is_printed_once_and_is_never_stored_readably(cli: Desk) -> None:
    added = cli.json("users", "add", "ada", "--generate-password")
    assert len(added["password"]) >= 20
    assert "password" not in cli.json("users", "list")[0]
    assert added["password"].encode() not in (cli.directory / "authserver.db").read_bytes()


def test_a_name_that_is_taken_is_refused_however_it_is_typed(cli: Desk) -> None:
    cli.user("ada")
    again = cli.try_("users", "add", " ADA ", "--no-password")
    assert (again.status, again.out) == (1, "")
    assert again.err == "authserver: this username is taken\n"


def test_a_password_is_never_an_argument(cli: Desk) -> None:
    assert cli.try_("users", "add", "ada", "--password", PASSWORD).status == 2
    assert cli.try_("users", "add", "ada", PASSWORD).status == 2
    without_terminal = cli.try_("users", "add", "ada")
    assert without_terminal.status == 2
    assert "--password-stdin" in without_terminal.err
    assert cli.json("users", "list") == []


@pytest.mark.parametrize("typed", ["", "\n", "one line\nand another\n"])
def test_an_unclear_password_on_standard_input_is_refused(cli: Desk, typed: str) -> None:
    assert cli.try_("users", "add", "ada", "--password-stdin", typed=typed).status == 2
    assert cli.json("users", "list") == []


def test_a_weak_password_is_refused_without_being_repeated(cli: Desk) -> None:
    refused = cli.try_("users", "add", "ada", "--password-stdin", typed="password1\n")
    assert refused.status == 2
    assert "password1" not in refused.err


def test_a_new_password_logs_the_user_out_everywhere(cli: Desk) -> None:
    cli.user(), cli.app()
    token, _ = cli.log_in()
    assert cli.try_("token", "verify", typed=token).status == 0
    assert "logged out everywhere" in cli("users", "set-password", "ada", "--password-stdin", typed="a new one\n").out
    assert cli.try_("token", "verify", typed=token).status == 1


def test_disabling_ends_every_session_and_enabling_revives_none(cli: Desk) -> None:
    cli.user(), cli.app()
    token, _ = cli.log_in()
    assert cli.json("users", "disable", "ada")["enabled"] is False
    assert cli.json("users", "list", "--disabled")[0]["username"] == "ada"
    assert cli.json("users", "enable", "ada")["enabled"] is True
    assert cli.try_("token", "verify", typed=token).status == 1
    assert cli.json("sessions", "list") == []


def test_a_user_is_found_by_name_or_id_and_an_unknown_one_is_status_1(cli: Desk) -> None:
    user_id = cli.user()
    assert cli.json("users", "disable", user_id)["username"] == "ada"
    for verb in ("disable", "enable"):
        assert cli.try_("users", verb, "nobody").status == 1
    assert cli.try_("users", "set-password", "nobody", "--generate-password").status == 1
    assert cli.try_("users", "remove", "nobody", "--yes").err == "authserver: there is no user nobody\n"


def test_removing_needs_a_yes(cli: Desk) -> None:
    cli.user()
    refused = cli.try_("users", "remove", "ada")
    assert (refused.status, len(cli.json("users", "list"))) == (2, 1)
    assert cli.json("users", "remove", "ada", "--yes")["removed"] is True
    assert cli.json("users", "list") == []


# -- import and export ------------------------------------------------------------------------


def test_importing_adds_the_good_lines_and_names_the_bad_ones(cli: Desk) -> None:
    cli.user("taken")
    (cli.directory / "users.csv").write_text(
        f"username,password\nada,{PASSWORD}\ntaken,{PASSWORD}\nbob,short\nADA,{PASSWORD}\neve,{PASSWORD}\n"
    )
    ran = cli.try_("users", "import", "users.csv", "--json")
    assert ran.status == 1
    assert ran.json == {
        "added": 2,
        "dry_run": False,
        "failed": [
            {"line": 3, "error": "this username is taken"},
            {"line": 4, "error": "password must have at least 8 characters"},
            {"line": 5, "error": "this username stands on an earlier line"},
        ],
    }
    assert {user["username"] for user in cli.json("users", "list")} == {"taken", "ada", "eve"}


def test_a_dry_run_finds_the_same_faults_and_writes_nothing(cli: Desk) -> None:
    cli.user("taken")
    (cli.directory / "users.jsonl").write_text(
        "".join(json.dumps({"username": name, "password": PASSWORD}) + "\n" for name in ("ada", "taken", "Ada"))
    )
    ran = cli.try_("users", "import", "users.jsonl", "--dry-run", "--json")
    assert (ran.status, ran.json["added"], [fault["line"] for fault in ran.json["failed"]]) == (1, 1, [2, 3])
    assert len(cli.json("users", "list")) == 1


def test_a_good_import_says_so_with_status_0(cli: Desk) -> None:
    ran = cli("users", "import", "-", typed=f"username,password,enabled\nada,{PASSWORD},no\n")
    assert ran.out == "added 1, refused 0\n"
    assert cli.json("users", "list")[0]["enabled"] is False


def test_an_export_with_hashes_moves_users_who_then_log_in_with_their_old_password(cli: Desk) -> None:
    cli.user("ada")
    assert "password_hash" not in json.loads(cli("users", "export").out)
    moved = cli("users", "export", "--with-hashes").out
    assert json.loads(moved)["password_hash"].startswith("$argon2id$")
    cli("users", "remove", "ada", "--yes")
    assert cli("users", "import", "-", typed=moved).out == "added 1, refused 0\n"

    async def check(services: object) -> bool:
        user = await services.directory.by_username("ada")  # type: ignore[attr-defined]  # given as object
        return bool(await services.passwords.verify(PASSWORD, user.password_hash))  # type: ignore[attr-defined]  # given as object

    assert cli.services(check)


def test_a_file_that_is_missing_or_not_text_is_told_about(cli: Desk) -> None:
    assert cli.try_("users", "import", "nowhere.csv").status == 2
    (cli.directory / "bad.csv").write_bytes(b"username\n\xff\xfe\n")
    ran = cli.try_("users", "import", "bad.csv", "--json")
    assert (ran.status, ran.json["added"]) == (1, 0)


def test_the_audit_log_names_the_command_line_and_the_person(cli: Desk) -> None:
    user_id = cli.user()

    async def events(services: object) -> list[object]:
        from authserver.model.page import PageRequest
        from authserver.storage.interface import AuditFilter

        page = await services.audit_store.list(PageRequest(), AuditFilter(user_id=user_id))  # type: ignore[attr-defined]  # given as object
        return [(event.type, event.actor, event.address.startswith("os-user:")) for event in page.items]

    assert cli.services(events) == [("user.created", "cli", True)]


def test_what_may_be_told_about_a_user_is_set_and_shown(cli: Desk) -> None:
    cli.user("ada")
    changed = cli.json("users", "set-claims", "ada", "name=Ada L.", "email=ada@example.org", "address.country=UK")
    assert changed["claims"] == {"name": "Ada L.", "email": "ada@example.org", "address": {"country": "UK"}}
    cli("users", "set-claims", "ada", "email=", "address.locality=London", "email_verified=false")
    shown = cli.json("users", "show", "ada")
    assert shown["claims"] == {
        "name": "Ada L.",
        "email_verified": False,
        "address": {"country": "UK", "locality": "London"},
    }
    assert "Ada L." in cli("users", "show", "ada").out


def test_a_claim_that_is_none_is_refused_by_name(cli: Desk) -> None:
    cli.user("ada")
    refused = cli.try_("users", "set-claims", "ada", "role=admin")
    assert (refused.status, refused.out) == (2, "")
    assert "role is not a claim" in refused.err
    assert cli.try_("users", "set-claims", "ada", "email=nobody").status == 2
    assert cli.try_("users", "set-claims", "bob", "name=Bob").status == 1
    assert cli.json("users", "show", "ada")["claims"] == {}


def test_claims_travel_in_an_export(cli: Desk) -> None:
    cli.user("ada")
    cli("users", "set-claims", "ada", "name=Ada", "address.country=UK")
    exported = cli("users", "export").out
    cli("users", "remove", "ada", "--yes")
    assert cli.json("users", "import", "-", typed=exported)["added"] == 1
    assert cli.json("users", "show", "ada")["claims"] == {"name": "Ada", "address": {"country": "UK"}}


def test_a_csv_file_holds_claims_as_json_text(cli: Desk) -> None:
    lines = 'username,claims\nada,"{""name"":""Ada""}"\nbob,"{""role"":""x""}"\neve,nonsense\n'
    report = cli.try_("users", "import", "-", "--json", typed=lines)
    assert (report.status, report.json["added"]) == (1, 1)
    assert [(line["line"], line["error"].partition(";")[0]) for line in report.json["failed"]] == [
        (3, "claims.role is not known"),
        (4, "claims is not JSON"),
    ]
    assert cli.json("users", "show", "ada")["claims"] == {"name": "Ada"}
