"""The difference between declared and stored clients."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authserver.administration.client_plan import is_as_planned
from authserver.model.client import Client
from tests.unit.administration.declared import SECRET, plan, plan_faults, stored

ROBOT = '[[clients]]\nid = "robot"\n'
APP = '[[clients]]\nid = "app"\nauth_method = "none"\n'
OPS = '[[clients]]\nid = "ops"\nscopes = ["admin"]\n'


def admin(client_id: str = "ops") -> Client:
    return stored(client_id, scopes=("admin",))


def test_what_is_not_stored_is_new() -> None:
    planned = plan(ROBOT)
    assert [client.id for client in planned.new] == ["robot"]
    assert not planned.is_empty


def test_what_is_stored_as_declared_is_unchanged() -> None:
    planned = plan(ROBOT, stored("robot"))
    assert planned.is_empty
    assert planned.unchanged == 1


def test_a_change_is_shown_field_by_field_from_old_to_new() -> None:
    text = ROBOT + 'scopes = ["read", "write"]\naccess_token_ttl = 60'
    (change,) = plan(text, stored("robot", scopes=("read",), name="Robot")).changed
    assert change.fields == {
        "name": {"from": "Robot", "to": "robot"},
        "scopes": {"from": ["read"], "to": ["read", "write"]},
        "access_token_ttl": {"from": None, "to": 60},
    }


def test_a_field_that_is_left_out_goes_back_to_its_default() -> None:
    (change,) = plan(ROBOT, stored("robot", first_party=True)).changed
    assert change.fields == {"first_party": {"from": True, "to": False}}


def test_a_change_keeps_what_is_not_declared() -> None:
    (change,) = plan(ROBOT + 'name = "R"', stored("robot")).changed
    assert (change.after.secrets, change.after.version, change.after.created_at) == ((SECRET,), 3, 1_000)


def test_a_client_that_was_switched_off_stays_off_unless_the_file_says_otherwise() -> None:
    off = stored("robot", enabled=False)
    assert plan(ROBOT, off).is_empty
    (change,) = plan(ROBOT + "enabled = true", off).changed
    assert change.fields == {"enabled": {"from": False, "to": True}}


def test_undeclared_clients_are_left_alone() -> None:
    planned = plan(ROBOT, stored("robot"), stored("other"))
    assert planned.is_empty
    assert [client.id for client in planned.undeclared] == ["other"]


def test_pruning_removes_undeclared_clients() -> None:
    planned = plan(ROBOT, stored("robot"), stored("other"), prune=True)
    assert [client.id for client in planned.removed] == ["other"]
    assert planned.undeclared == ()


def test_pruning_keeps_the_clients_that_alone_can_administer() -> None:
    planned = plan(ROBOT, stored("robot"), admin("ops"), admin("chief"), stored("other"), prune=True)
    assert [client.id for client in planned.kept] == ["ops", "chief"]
    assert [client.id for client in planned.removed] == ["other"]


@pytest.mark.parametrize("there", [True, False])
def test_pruning_removes_administrators_when_a_declared_one_takes_over(there: bool) -> None:
    clients = [admin("old"), *([admin("ops")] if there else [])]
    planned = plan(OPS, *clients, prune=True)
    assert [client.id for client in planned.removed] == ["old"]
    assert planned.kept == ()


@pytest.mark.parametrize("text", ['[[clients]]\nid = "ops"\nscopes = ["read"]', OPS + "enabled = false"])
def test_the_last_administrator_is_not_stripped(text: str) -> None:
    (fault,) = plan_faults(text, admin("ops"))
    assert fault.startswith('clients "ops": ')
    assert "no client could administer" in fault


def test_an_administrator_may_be_stripped_for_another_that_gains_it_first() -> None:
    text = '[[clients]]\nid = "a"\nscopes = ["read"]\n[[clients]]\nid = "b"\nscopes = ["admin"]'
    planned = plan(text, admin("a"), stored("b"))
    assert [change.after.id for change in planned.changed] == ["b", "a"]


def test_a_server_without_an_administrator_is_none_of_the_plans_business() -> None:
    assert plan(ROBOT, stored("robot")).is_empty


def test_a_confidential_client_never_becomes_a_public_one() -> None:
    assert plan_faults(APP + ROBOT, stored("app"), stored("robot", auth_method="none")) == [
        f'clients "{name}": auth_method cannot change between public and confidential; declare another client'
        for name in ("app", "robot")
    ]


def test_a_client_is_as_planned_until_something_but_its_secrets_changes() -> None:
    before = stored("robot")
    assert is_as_planned(before, before)
    assert is_as_planned(before, replace(before, secrets=()))
    assert not is_as_planned(before, replace(before, updated_at=2_001))
    assert not is_as_planned(before, replace(before, version=4))
    assert not is_as_planned(before, None)


def test_a_file_without_clients_prunes_nothing() -> None:
    assert plan_faults("", stored("robot"), prune=True) == [
        "clients: none is declared, and pruning would remove every client"
    ]
    assert plan("", stored("robot")).is_empty


@pytest.mark.parametrize("prune", [True, False])
def test_clients_that_registered_themselves_are_no_files_business(prune: bool) -> None:
    planned = plan(ROBOT, stored("robot"), stored("app-1", origin="dynamic"), prune=prune)
    assert planned.is_empty
    assert (planned.undeclared, planned.kept) == ((), ())


def test_a_declaration_does_not_change_where_a_client_comes_from() -> None:
    (change,) = plan(ROBOT + 'name = "R"', stored("robot", origin="dynamic")).changed
    assert (change.after.origin, set(change.fields)) == ("dynamic", {"name"})
