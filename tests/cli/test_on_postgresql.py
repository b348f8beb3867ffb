"""The same commands on PostgreSQL: from an empty database to a revoked token."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Desk
from tests.servers import PostgresServer


def test_a_whole_day_at_the_desk(cli: Desk, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres_server.create_database("desk")
    monkeypatch.setenv("AUTHSERVER_DATABASE_URL", url)
    try:
        assert "authserver migrate" in cli.try_("users", "list").err
        assert cli.json("migrate")["migrations"] != []
        assert cli.json("migrate")["migrations"] == []
        cli.user("ada")
        cli.app("app")
        cli.program("robot")
        access, refresh = cli.log_in("ada", "app")
        own = cli("token", "issue", "robot").out
        assert [key["state"] for key in cli.json("keys", "list")] == ["active"]
        assert len(cli.json("sessions", "list", "--user", "ada")) == 1
        assert cli.json("revoke", "user", "ada", "--dry-run")["families"] == 1
        cli("revoke", "user", "ada", "--yes", "--reason", "stolen phone")
        assert "stolen phone" in cli.try_("token", "explain", typed=access).out
        assert cli.try_("token", "explain", typed=refresh).status == 1
        assert cli.try_("token", "verify", typed=own).status == 0
        cli("clients", "remove", "robot", "--yes")
        assert cli.try_("token", "verify", typed=own).status == 1
        ran = cli.try_("users", "import", "-", "--json", typed="username\nada\neve\n")
        assert (ran.json["added"], len(ran.json["failed"])) == (1, 1)
    finally:
        postgres_server.drop_database("desk")
