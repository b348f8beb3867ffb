"""authserver token, revoke, sessions: what a token is, whether it lives, and how it dies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Desk


@pytest.fixture
def ada(cli: Desk) -> tuple[str, str]:
    """Ada's access and refresh token."""
    cli.user("ada")
    cli.app("app")
    return cli.log_in("ada", "app")


# -- token ------------------------------------------------------------------------------------


def test_a_token_is_minted_for_a_program_and_audited(cli: Desk) -> None:
    cli.program("robot")
    cli.start_once()
    minted = cli.json("token", "issue", "robot", "--scope", "read")
    assert (minted["token_type"], minted["scope"], minted["expires_in"]) == ("Bearer", "read", 300)
    verified = cli.json("token", "verify", typed=minted["access_token"])
    assert verified["valid"] is True
    assert verified["claims"]["sub"] == "robot"


def test_a_token_is_not_minted_beyond_what_the_client_may_have(cli: Desk) -> None:
    cli.program("robot")
    cli.app("app")
    cli.start_once()
    assert cli.try_("token", "issue", "robot", "--scope", "admin").status == 2
    assert cli.try_("token", "issue", "robot", "--resource", "https://elsewhere.example").status == 2
    assert cli.try_("token", "issue", "app").status == 1
    assert cli.try_("token", "issue", "nobody").status == 1
    cli("clients", "disable", "robot")
    assert cli.try_("token", "issue", "robot").status == 1


def test_a_token_of_another_issuer_is_refused_with_both_names(
    cli: Desk, ada: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHSERVER_ISSUER", "http://127.0.0.1:8200")
    for command in ("verify", "explain"):
        ran = cli.try_("token", command, typed=ada[0])
        assert ran.status == 1
        assert "from http://127.0.0.1:8000, and AUTHSERVER_ISSUER is http://127.0.0.1:8200" in ran.out + ran.err


def test_so_is_one_whose_key_is_in_another_database(
    cli: Desk, ada: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AUTHSERVER_ISSUER", "http://127.0.0.1:8200")
    monkeypatch.setenv("AUTHSERVER_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/another.db")
    cli("migrate")
    for command in ("verify", "explain"):
        ran = cli.try_("token", command, typed=ada[0])
        assert ran.status == 1
        assert "AUTHSERVER_ISSUER is http://127.0.0.1:8200" in ran.out + ran.err


def test_what_is_minted_tells_for_which_issuer(cli: Desk) -> None:
    cli.program("robot")
    cli.start_once()
    ran = cli("token", "issue", "robot")
    assert "http://127.0.0.1:8000" in ran.err
    assert len(ran.out.splitlines()) == 1


def test_inspecting_shows_the_claims_and_says_that_nothing_was_checked(cli: Desk, ada: tuple[str, str]) -> None:
    shown = cli.json("token", "inspect", typed=ada[0])
    assert shown["verified"] is False
    assert (shown["header"]["typ"], shown["claims"]["client_id"]) == ("at+jwt", "app")
    ran = cli("token", "inspect", typed=ada[0])
    assert "nothing was verified" in ran.err
    assert cli.try_("token", "inspect", typed="not.a.token").status == 1


def test_a_token_is_not_taken_as_an_argument(cli: Desk, ada: tuple[str, str]) -> None:
    for command in (("token", "inspect"), ("token", "verify"), ("token", "explain"), ("revoke", "token")):
        refused = cli.try_(*command, ada[0])
        assert refused.status == 2
        assert "pipe it in" in refused.err
        assert ada[0] not in refused.err
    assert cli.try_("token", "verify", typed="").status == 2


def test_a_token_can_be_read_from_a_file(cli: Desk, ada: tuple[str, str]) -> None:
    (cli.directory / "token").write_text(ada[0] + "\n")
    assert cli.json("token", "verify", "--file", "token")["valid"] is True
    assert cli.try_("token", "verify", "--file", "nowhere").status == 2


def test_a_forged_token_is_refused_with_status_1(cli: Desk, ada: tuple[str, str]) -> None:
    head, payload, signature = ada[0].split(".")
    ran = cli.try_("token", "verify", "--json", typed=f"{head}.{payload}.{signature[::-1]}")
    assert (ran.status, ran.json["valid"]) == (1, False)
    assert cli.try_("token", "explain", typed="x" * 80).status == 1


def test_a_living_token_is_explained(cli: Desk, ada: tuple[str, str]) -> None:
    story = cli.json("token", "explain", typed=ada[0])
    assert (story["kind"], story["alive"], story["refused_by"]) == ("access_token", True, [])
    assert story["user"]["username"] == "ada"
    assert story["client"]["client_id"] == "app"
    assert story["session"]["address"] == "192.0.2.7"
    assert story["family"]["session_id"] == story["session"]["session_id"]
    refresh = cli.json("token", "explain", typed=ada[1])
    assert (refresh["kind"], refresh["alive"]) == ("refresh_token", True)
    assert "ada" in cli("token", "explain", typed=ada[1]).out


@pytest.mark.parametrize(
    ("revoke", "rule", "event"),
    [
        (("session", "SESSION"), "session", "session.revoked"),
        (("user", "ada", "--yes"), "subject", "user.revoked"),
        (("client", "app", "--yes"), "client", "client.revoked"),
        (("all", "--yes"), "issuer", "issuer.revoked"),
        (("kid", "KID", "--yes"), "kid", "key.revoked"),
        (("jti", "JTI"), "jti", "token.revoked"),
    ],
)
def test_every_level_is_refused_and_explained_with_its_reason(
    cli: Desk, ada: tuple[str, str], revoke: tuple[str, ...], rule: str, event: str
) -> None:
    alive = cli.json("token", "explain", typed=ada[0])
    names = {"SESSION": alive["session"]["session_id"], "KID": alive["key"]["kid"], "JTI": alive["token"]["jti"]}
    outcome = cli.json("revoke", *(names.get(word, word) for word in revoke), "--reason", "stolen phone")
    assert outcome["changed"] is True
    assert outcome["sequence"] is not None
    assert cli.try_("token", "verify", typed=ada[0]).status == 1
    ran = cli.try_("token", "explain", "--json", typed=ada[0])
    assert (ran.status, ran.json["alive"]) == (1, False)
    assert [refusal["rule"] for refusal in ran.json["refused_by"]] == [rule]
    told = [past for past in ran.json["events"] if past["type"] == event]
    assert [(past["actor"], past["detail"].get("reason")) for past in told] == [("cli", "stolen phone")]
    assert "stolen phone" in cli.try_("token", "explain", typed=ada[0]).out


def test_events_of_others_are_no_part_of_the_story(cli: Desk, ada: tuple[str, str]) -> None:
    cli.user("bob")
    cli.app("other")
    cli.log_in("bob", "other")
    cli("revoke", "user", "bob", "--yes")
    cli("revoke", "client", "other", "--yes")
    story = cli.json("token", "explain", typed=ada[0])
    assert story["alive"] is True
    assert [past["type"] for past in story["events"]] == ["login.succeeded"], "its own, not bob's"


# -- revoke -----------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_end_and_ends_nothing(cli: Desk, ada: tuple[str, str]) -> None:
    outcome = cli.json("revoke", "user", "ada", "--dry-run")
    assert (outcome["dry_run"], outcome["sessions"], outcome["families"], outcome["sequence"]) == (True, 1, 1, None)
    assert "would end" in cli("revoke", "all", "--dry-run").out
    assert cli.try_("token", "verify", typed=ada[0]).status == 0


def test_wide_revocations_need_a_yes(cli: Desk, ada: tuple[str, str]) -> None:
    for level in (("user", "ada"), ("client", "app"), ("all",)):
        refused = cli.try_("revoke", *level)
        assert refused.status == 2
        assert "--yes" in refused.err
    assert cli.try_("token", "verify", typed=ada[0]).status == 0


def test_a_token_is_revoked_from_standard_input(cli: Desk, ada: tuple[str, str]) -> None:
    ran = cli("revoke", "token", typed=ada[0])
    assert ran.out.startswith("ended the token")
    assert "until it expires" in ran.err, "what a revocation does not do yet is said"
    assert cli.try_("token", "verify", typed=ada[0]).status == 1
    assert cli.try_("token", "explain", typed=ada[1]).status == 0, "the refresh token lives on"
    assert cli("revoke", "token", typed=ada[1]).out.startswith("ended the token")
    assert cli.try_("token", "explain", typed=ada[1]).status == 1


def test_revoking_twice_changes_nothing_and_is_no_error(cli: Desk, ada: tuple[str, str]) -> None:
    cli("revoke", "token", typed=ada[1])
    assert cli.json("revoke", "token", typed=ada[1])["changed"] is False


def test_what_does_not_exist_cannot_be_revoked(cli: Desk) -> None:
    nobody = "0192c0de-0000-7000-8000-000000000000"
    for level in (
        ("session", nobody),
        ("user", "nobody", "--yes"),
        ("client", "nobody", "--yes"),
        ("kid", "x", "--yes"),
    ):
        assert cli.try_("revoke", *level).status == 1
    assert cli.try_("revoke", "token", typed="x" * 80).status == 1
    assert cli.try_("revoke", "jti", "some-jti", "--expires-at", "12").status == 2


# -- sessions ---------------------------------------------------------------------------------


def test_sessions_are_listed_by_user_and_client_and_ended(cli: Desk, ada: tuple[str, str]) -> None:
    cli.user("bob")
    cli.log_in("bob", "app")
    (session,) = cli.json("sessions", "list", "--user", "ada")
    assert (session["username"], session["client_id"], session["kind"]) == ("ada", "app", "token")
    assert len(cli.json("sessions", "list")) == 2
    assert len(cli.json("sessions", "list", "--limit", "1")) == 1
    assert cli.json("sessions", "list", "--client", "other") == []
    assert "ada" in cli("sessions", "list").out
    assert cli.json("sessions", "end", session["session_id"])["changed"] is True
    assert cli.json("sessions", "list", "--user", "ada") == []
    (ended,) = cli.json("sessions", "list", "--user", "ada", "--all")
    assert ended["ended_reason"] == "ended by an administrator"
    assert cli.try_("token", "verify", typed=ada[0]).status == 1


def test_ending_an_unknown_session_is_status_1(cli: Desk) -> None:
    assert cli.try_("sessions", "end", "0192c0de-0000-7000-8000-000000000000").status == 1
    assert cli.try_("sessions", "list", "--user", "nobody").status == 1
