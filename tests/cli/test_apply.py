"""authserver apply: the clients become those that a file declares."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from authserver.administration.client_changes import carry_out
from authserver.administration.client_plan import Plan, make_plan
from authserver.administration.declarations import ClientRules, read_declarations
from authserver.model.audit import Caller
from authserver.model.errors import Conflict
from tests.cli.conftest import Desk, Ran

TWO = """
[scopes]
read = "See orders"
write = "Change orders"

[resources]
"https://shop.example" = "The API of the shop"

[[clients]]
id = "shop-api"
audiences = ["https://shop.example"]

[[clients]]
id = "shop-app"
name = "The shop"
auth_method = "none"
first_party = true
scopes = ["read", "write"]
resources = ["https://shop.example"]
access_token_ttl = "2m"
"""
ROBOT = '[[clients]]\nid = "robot"\nscopes = ["read"]\n'


def declare(cli: Desk, text: str, name: str = "clients.toml") -> str:
    (cli.directory / name).write_text(text)
    return name


def apply(cli: Desk, text: str, *options: str) -> Any:
    return cli.json("apply", declare(cli, text), *options)


def refused(cli: Desk, text: str, *options: str) -> Ran:
    ran = cli.try_("apply", declare(cli, text), *options)
    assert ran.status == 1
    return ran


def clients(cli: Desk) -> list[str]:
    return [client["client_id"] for client in cli.json("clients", "list")]


def gets_a_token(cli: Desk, client_id: str, secret: str) -> bool:
    async def ask(services: Any) -> bool:
        client = await services.clients.get(client_id)
        return client is not None and bool(services.client_directory.has_secret(client, secret))

    return cli.services(ask)


def test_new_clients_are_made_and_their_secrets_shown_once(cli: Desk) -> None:
    done = apply(cli, TWO)
    api, app = done["new"]
    assert (api["client_id"], app["client_id"]) == ("shop-api", "shop-app")
    assert gets_a_token(cli, "shop-api", api["client_secret"])
    assert "client_secret" not in app
    assert (app["name"], app["access_token_ttl"], app["first_party"]) == ("The shop", 120, True)
    assert done["applied"] == clients(cli) == ["shop-api", "shop-app"]


def test_the_plan_is_readable(cli: Desk) -> None:
    cli.program("robot")
    cli.program("other")
    text = '[[clients]]\nid = "robot"\nscopes = ["read", "write"]\n[[clients]]\nid = "app"\nauth_method = "none"\n'
    ran = cli("apply", declare(cli, text))
    assert ran.out.splitlines() == [
        "+ app",
        "    auth_method       none",
        "    grant_types       refresh_token",
        "    first_party       no",
        "    refresh_rotation  always",
        "    enabled           yes",
        "~ robot",
        "    scopes  read -> read write",
        "= 0 unchanged",
        "= 1 not declared, left alone (--prune removes them)",
    ]
    assert ran.err == "done\n"


def test_text_output_prints_a_secret_on_a_line_of_its_own(cli: Desk) -> None:
    line = cli("apply", declare(cli, ROBOT)).out.splitlines()[-1]
    assert line.startswith("client secret of robot, shown this once  ")
    assert gets_a_token(cli, "robot", line.split()[-1])


def test_a_second_run_finds_nothing_to_do(cli: Desk) -> None:
    apply(cli, TWO)
    before = cli.json("clients", "list")
    again = apply(cli, TWO)
    assert (again["in_sync"], again["unchanged"], again["applied"]) == (True, 2, [])
    assert "nothing to do" in cli("apply", "clients.toml").err
    assert cli.json("clients", "list") == before


def test_a_change_touches_what_is_declared_and_nothing_else(cli: Desk) -> None:
    cli.program("robot")
    before = cli.json("clients", "show", "robot")
    done = apply(cli, ROBOT + 'name = "The robot"')
    assert done["changed"] == [{"client_id": "robot", "changes": {"name": {"from": "robot", "to": "The robot"}}}]
    after = cli.json("clients", "show", "robot")
    assert {name for name in before if before[name] != after[name]} == {"name", "updated_at"}


def test_disabling_refuses_what_the_client_was_issued(cli: Desk) -> None:
    cli.program("robot")
    cli.start_once()
    token = cli("token", "issue", "robot").out
    apply(cli, ROBOT + "enabled = false")
    assert cli.try_("token", "verify", typed=token).status == 1
    apply(cli, ROBOT)
    assert cli.json("clients", "show", "robot")["enabled"] is False
    apply(cli, ROBOT + "enabled = true")
    assert cli.json("clients", "show", "robot")["enabled"] is True


def test_a_client_may_be_born_disabled_even_an_administrator(cli: Desk) -> None:
    text = '[[clients]]\nid = "ops"\nscopes = ["admin"]\nenabled = false'
    apply(cli, text)
    assert cli.json("clients", "show", "ops")["enabled"] is False
    assert apply(cli, text)["in_sync"] is True


def test_a_dry_run_shows_the_plan_and_writes_nothing(cli: Desk) -> None:
    cli.program("robot")
    before = (cli.json("clients", "list"), (cli.directory / "authserver.db").read_bytes())
    shown = apply(cli, TWO, "--dry-run", "--prune")
    assert (shown["dry_run"], shown["in_sync"], shown["applied"]) == (True, False, [])
    assert [client["client_id"] for client in shown["new"]] == ["shop-api", "shop-app"]
    assert shown["removed"] == ["robot"]
    assert all("client_secret" not in client for client in shown["new"])
    assert "dry run" in cli("apply", "clients.toml", "--dry-run").err
    assert (cli.json("clients", "list"), (cli.directory / "authserver.db").read_bytes()) == before


def test_everything_is_checked_before_anything_is_changed(cli: Desk) -> None:
    bad = TWO + '[[clients]]\nid = "x"\nscopes = ["raed"]\n[[clients]]\nid = "y"\nauth_method = "magic"\n'
    ran = refused(cli, bad)
    assert ran.err.splitlines()[0] == 'clients "x": scopes names "raed", which [scopes] does not; did you mean read?'
    assert ran.err.splitlines()[1].startswith('clients "y": auth_method must be one of')
    assert ran.err.splitlines()[2] == "authserver: clients.toml: 2 faults, nothing was changed"
    assert ran.out == ""
    assert clients(cli) == []


def test_a_change_that_no_client_can_make_is_refused(cli: Desk) -> None:
    cli.program("robot")
    ran = refused(cli, '[[clients]]\nid = "new"\n[[clients]]\nid = "robot"\nauth_method = "none"\n')
    assert ran.err.startswith('clients "robot": auth_method cannot change')
    assert clients(cli) == ["robot"]


def test_undeclared_clients_are_only_removed_when_asked_for_and_agreed_to(cli: Desk) -> None:
    cli.program("old")
    cli.program("robot")
    apply(cli, ROBOT)
    assert clients(cli) == ["old", "robot"]
    unasked = cli.try_("apply", "clients.toml", "--prune")
    assert unasked.status == 2
    assert "--yes" in unasked.err
    assert clients(cli) == ["old", "robot"]
    assert apply(cli, ROBOT, "--prune", "--yes")["removed"] == ["old"]
    assert clients(cli) == ["robot"]


def test_pruning_keeps_the_last_client_that_can_administer(cli: Desk) -> None:
    cli.program("ops", "--scope", "admin")
    done = apply(cli, ROBOT, "--prune", "--yes")
    assert (done["removed"], done["kept"]) == ([], ["ops"])
    assert "kept, because no declared client" in cli("apply", "clients.toml", "--prune", "--yes").out
    takes_over = ROBOT + '[[clients]]\nid = "chief"\nscopes = ["admin"]\n'
    assert apply(cli, takes_over, "--prune", "--yes")["removed"] == ["ops"]
    assert clients(cli) == ["chief", "robot"]


def test_the_last_administrator_hands_over_in_one_run(cli: Desk) -> None:
    cli.program("a-ops", "--scope", "admin")
    cli.program("b-ops")
    text = '[[clients]]\nid = "a-ops"\n[[clients]]\nid = "b-ops"\nscopes = ["admin"]\n'
    assert apply(cli, text)["applied"] == ["b-ops", "a-ops"]
    assert refused(cli, text.replace('scopes = ["admin"]', "")).err.startswith('clients "b-ops": scopes: then no')


def test_every_change_is_audited_as_the_command_lines(cli: Desk) -> None:
    cli.program("robot")
    cli.program("old")
    text = '[[clients]]\nid = "new"\n' + ROBOT + 'name = "R"\nenabled = false'
    apply(cli, text, "--prune", "--yes")

    async def events(services: Any) -> list[tuple[str, str, str]]:
        from authserver.model.page import PageRequest
        from authserver.storage.interface import AuditFilter

        page = await services.audit_store.list(PageRequest(limit=50), AuditFilter())
        return [(e.type, e.client_id, e.actor) for e in page.items if e.client_id]

    assert cli.services(events)[:4] == [
        ("client.removed", "old", "cli"),
        ("client.disabled", "robot", "cli"),
        ("client.updated", "robot", "cli"),
        ("client.created", "new", "cli"),
    ]


@pytest.mark.parametrize(
    "meanwhile",
    [
        ("update", "robot", "--name", "Somebody else's"),
        ("disable", "robot"),
        ("remove", "robot", "--yes"),
        ("add", "new"),
    ],
)
def test_what_changed_since_the_plan_was_made_stops_it_before_its_first_change(
    cli: Desk, meanwhile: tuple[str, ...]
) -> None:
    cli.program("robot")
    cli.program("old")
    text = ROBOT + 'name = "R"\n[[clients]]\nid = "new"\n'
    plan = cli.services(lambda services: planned(services, text))
    cli("clients", *meanwhile)
    before = cli.json("clients", "list")

    async def late(services: Any) -> None:
        with pytest.raises(Conflict, match="run again"):
            async for _ in carry_out(plan, services.client_directory, Caller(actor="cli")):
                pass

    cli.services(late)
    assert cli.json("clients", "list") == before


async def planned(services: Any, text: str) -> Plan:
    from authserver.cli.runtime import every

    directory = services.client_directory
    rules = ClientRules(directory.readers, directory.last_admin.can_administer)
    stored = [client async for client in every(directory.list)]
    return make_plan(read_declarations(tomllib.loads(text), rules, ()), stored, rules, prune=True)


def test_stopped_half_way_it_shows_the_secrets_it_made_and_the_next_run_does_the_rest(
    cli: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from authserver.administration.clients import ClientDirectory
    from authserver.storage.interface import StorageUnavailable

    add = ClientDirectory.add

    async def failing(self: ClientDirectory, fields: Any, **more: Any) -> Any:
        if fields["client_id"] == "second":
            raise StorageUnavailable("gone")
        return await add(self, fields, **more)

    text = '[[clients]]\nid = "first"\n[[clients]]\nid = "second"\n'
    with monkeypatch.context() as patch:
        patch.setattr(ClientDirectory, "add", failing)
        ran = cli.try_("apply", declare(cli, text), "--json")
    assert ran.status == 2
    assert "1 of 2 clients" in ran.err
    assert ran.json["applied"] == ["first"]
    assert gets_a_token(cli, "first", ran.json["new"][0]["client_secret"])
    assert apply(cli, text)["applied"] == ["second"]


def test_the_servers_own_file_may_hold_the_declarations(cli: Desk) -> None:
    name = declare(cli, 'access_token_ttl = "4m"\n' + TWO, "authserver.toml")
    ran = cli("apply", name)
    assert "settings are not read" not in ran.err
    assert clients(cli) == ["shop-api", "shop-app"]


def test_settings_in_another_file_are_not_silently_ignored(cli: Desk) -> None:
    ran = cli("apply", declare(cli, "workers = 4\n" + ROBOT))
    assert "workers: settings are not read from here, but from authserver.toml" in ran.err


def test_a_file_that_cannot_be_read_is_misuse(cli: Desk) -> None:
    assert cli.try_("apply", "missing.toml").status == 2
    ran = cli.try_("apply", declare(cli, "clients: []"))
    assert (ran.status, ran.err.startswith("authserver: cannot read clients.toml: ")) == (2, True)


def test_declarations_may_come_in_a_pipe(cli: Desk) -> None:
    assert cli.json("apply", "-", typed=ROBOT)["applied"] == ["robot"]


def test_the_example_of_the_guide_is_what_happens(cli: Desk) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "apply.md").read_text()
    declared, shown = guide.split("```toml\n")[1].split("```")[0], guide.split("--dry-run\n")[1].split("```")[0]
    cli("clients", "add", "shop-app", "--name", "The shop", "--auth-method", "none", "--first-party", "--scope", "read",
        "--resource", "https://shop.example.com")  # fmt: skip
    cli.program("other")
    ran = cli("apply", declare(cli, declared), "--dry-run")
    assert ran.out + ran.err == shown
