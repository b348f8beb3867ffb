"""authserver log, authserver resource-servers, and what revoking says about those who follow the log."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from authserver.model.resource_server import ResourceServer
from tests.cli.conftest import Desk


@pytest.fixture
def followed(cli: Desk) -> Desk:
    """With three records in its log."""
    cli.start_once()
    for n in range(3):
        cli("revoke", "jti", f"jti-{n}")
    return cli


def execute(cli: Desk, statement: str) -> None:
    with closing(sqlite3.connect(cli.directory / "authserver.db")) as connection, connection:
        connection.execute(statement)


def accuse(cli: Desk) -> None:
    """As if a resource server had brought proof that commits were lost."""

    async def work(services: Any) -> None:
        head = await services.log_store.head()
        assert await services.log_store.accuse(head.log, "a checkpoint of ours")

    cli.services(work)


# -- revoke -----------------------------------------------------------------------------------


def test_a_revocation_has_its_number_although_no_server_runs(followed: Desk) -> None:
    assert followed.json("revoke", "jti", "another")["sequence"] == 4
    ran = followed("revoke", "jti", "one more")
    assert "follow the revocation feed" in ran.err
    assert "authserver resource-servers list --behind 5" in ran.err


def test_an_ended_session_has_one_too(cli: Desk) -> None:
    cli.user()
    cli.app()
    cli.start_once()
    cli.log_in()
    (session,) = cli.json("sessions", "list")
    assert cli.json("sessions", "end", session["session_id"])["sequence"] == 1


# -- status and verify ------------------------------------------------------------------------


def test_status_shows_where_the_log_stands(followed: Desk) -> None:
    status = followed.json("log", "status")
    assert (status["seq"], status["floor"], status["pending"], status["lost_commits"]) == (3, 1, False, False)
    assert (status["token_ttl"], len(status["log"]), status["snapshot"]) == (300, 16, None)
    text = followed("log", "status").out
    assert status["log"] in text


def test_a_log_that_lost_commits_is_status_1_and_a_fault_for_the_doctor(followed: Desk) -> None:
    accuse(followed)
    ran = followed.try_("log", "status", "--json")
    assert (ran.status, ran.json["lost_commits"]) == (1, True)
    assert followed.try_("log", "verify").status == 1
    doctor = followed.try_("doctor", "--json")
    (finding,) = [check for check in doctor.json["checks"] if check["check"] == "revocation log"]
    assert (doctor.status, finding["verdict"]) == (1, "wrong")
    assert "authserver log renew" in finding["detail"]


def test_the_doctor_sees_what_nobody_publishes(followed: Desk) -> None:
    def finding() -> str:
        checks = followed.json("doctor")["checks"]
        return next(str(check["verdict"]) for check in checks if check["check"] == "revocation log")

    assert finding() == "ok"
    execute(followed, "INSERT INTO revocation_outbox (kind, value, version, created_at) VALUES ('sid', 'x', 0, 1)")
    assert finding() == "warning"


def test_a_whole_chain_is_found_whole(followed: Desk) -> None:
    verdict = followed.json("log", "verify")
    assert (verdict["ok"], verdict["checked"], verdict["first"], verdict["seq"]) == (True, 3, 1, 3)
    assert "3 records, 1 to 3" in followed("log", "verify").out


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE rev_log SET expires = expires + 1 WHERE seq = 2", "record 2 is not the one that was written"),
        ("UPDATE rev_log SET hash = zeroblob(32) WHERE seq = 3", "record 3 is not the one that was written"),
        ("DELETE FROM rev_log WHERE seq = 1", "record 1 is missing"),
        ("DELETE FROM rev_log WHERE seq = 3", "record 3 is missing"),
        ("UPDATE rev_head SET hash = zeroblob(32)", "does not lead to the head"),
    ],
)
def test_damage_is_found(followed: Desk, damage: str, said: str) -> None:
    execute(followed, damage)
    ran = followed.try_("log", "verify", "--json")
    assert (ran.status, ran.json["ok"]) == (1, False)
    assert said in ran.json["fault"]
    assert said in followed.try_("log", "verify").out


# -- renew ------------------------------------------------------------------------------------


def test_a_new_log_refuses_every_token_and_replaces_the_keys(followed: Desk) -> None:
    followed.program()
    token = followed("token", "issue", "robot").out
    before = followed.json("log", "status")["log"]
    accuse(followed)
    unasked = followed.try_("log", "renew")
    assert unasked.status == 2
    assert "every token that was issued before is refused" in unasked.err
    renewed = followed.json("log", "renew", "--yes", "--reason", "restored from backup")
    assert renewed["before"] == {"log": before, "seq": 3}
    assert renewed["log"] not in (before, "")
    assert len(renewed["withdrawn_keys"]) == 1
    status = followed.json("log", "status")
    assert (status["log"], status["lost_commits"], status["logs_before"]) == (renewed["log"], False, [before])
    assert followed.json("log", "verify")["ok"]
    assert followed.try_("token", "verify", typed=token).status == 1
    assert followed.try_("token", "verify", typed=followed("token", "issue", "robot").out).status == 0


def test_the_keys_may_be_kept(followed: Desk) -> None:
    (key,) = followed.json("keys", "list")
    ran = followed("log", "renew", "--keep-keys", "--yes")
    assert "No loss is known" in ran.err
    assert [(k["kid"], k["state"]) for k in followed.json("keys", "list")] == [(key["kid"], "active")]


# -- resource servers ---------------------------------------------------------------------------


def test_who_is_behind_is_listed(followed: Desk) -> None:
    assert followed.json("resource-servers", "list") == []
    assert "no resource server reports" in followed("resource-servers", "list").err

    async def report(services: Any) -> None:
        head, now = await services.log_store.head(), services.now()
        for instance, seq in (("quick", 3), ("slow", 1)):
            await services.resource_servers.report(
                ResourceServer(
                    client_id="api",
                    instance=instance,
                    log=head.log,
                    seq=seq,
                    entries=seq,
                    address="192.0.2.7",
                    version=None,
                    first_seen=now,
                    reported_at=now,
                )
            )

    followed.services(report)
    rows = followed.json("resource-servers", "list")
    assert [(row["instance"], row["state"], row["lag"]) for row in rows] == [
        ("quick", "current", 0),
        ("slow", "behind", 2),
    ]
    assert [row["instance"] for row in followed.json("resource-servers", "list", "--behind", "2")] == ["slow"]
    assert followed.json("resource-servers", "list", "--client", "another") == []
    assert "slow" in followed("resource-servers", "list", "--behind", "3").out
    assert "no resource server that reports lacks record 1" in followed("resource-servers", "list", "--behind", "1").err
    ahead = followed.try_("resource-servers", "list", "--behind", "4")
    assert (ahead.status, ahead.out) == (2, "")
    assert ahead.err == "authserver: --behind 4: the log ends at 3, nobody can have applied that yet\n"
