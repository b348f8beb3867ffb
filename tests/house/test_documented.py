"""A setting, route, command or metric that is not documented does not exist for its users."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import typer.main

from authserver import settings
from authserver.audit.events import EventType
from authserver.cli import build
from authserver.web.routing import Rule
from tests.house.settings_table import table

ROOT = Path(settings.__file__).parents[1]
DOCS = ROOT / "docs"


def test_every_setting_stands_in_its_table_as_it_is() -> None:
    text = (DOCS / "settings.md").read_text()
    missing = [line for line in table().splitlines() if line not in text]
    assert missing == [], "run `python -m tests.house.settings_table` and put its table into docs/settings.md"


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE))
    assert documented == {name.upper() for name in settings.Settings.model_fields}


def documented_routes() -> dict[str, set[str]]:
    rows = re.findall(r"^\| `(/[^`]*)` \| ([A-Z, ]+) \|", (DOCS / "http.md").read_text(), re.MULTILINE)
    return {path: set(methods.split(", ")) for path, methods in rows}


def test_routes_and_their_documentation_are_the_same(rules: list[Rule]) -> None:
    routed = {rule.path: set(rule.methods) - {"HEAD"} for rule in rules}
    assert documented_routes() == routed


def commands() -> list[str]:
    """Every command as it is typed: "users add"."""
    found: list[str] = []

    def walk(command: click.Command, path: list[str]) -> None:
        verbs = getattr(command, "commands", None)
        if verbs is None:
            found.append(" ".join(path))
            return
        for name, verb in verbs.items():
            walk(verb, [*path, name])

    walk(typer.main.get_command(build()), [])
    return found


def test_every_command_is_in_the_reference() -> None:
    text = (DOCS / "cli.md").read_text()
    assert [command for command in commands() if not re.search(rf"`(authserver )?{command}\b", text)] == []


def metrics() -> set[str]:
    """As `/metrics` spells them: the first argument of whatever registers one; counters end in _total."""
    found = set()
    for path in sorted((ROOT / "authserver").rglob("*.py")):
        if "verifier" in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id=how) | ast.Attribute(attr=how), args=[ast.Constant(value=str(name)), *_]
                ):
                    if re.fullmatch(r"authserver_[a-z_]+", name):
                        found.add(f"{name}_total" if how in ("Counter", "Tally") else name)
    return found


def test_metrics_and_their_table_are_the_same() -> None:
    assert "authserver_log_seq" in metrics(), "they are found at all"
    table = (DOCS / "guide/operate.md").read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(authserver_[a-z_]+)` \|", table, re.MULTILINE)) == metrics()


def test_audit_events_and_their_table_are_the_same() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", (DOCS / "audit.md").read_text(), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)} == set(EventType)


def test_links_between_pages_lead_somewhere() -> None:
    links = [
        (page, target)
        for page in [ROOT / "README.md", *DOCS.rglob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    ]
    assert [
        f"{page.relative_to(ROOT)}: {target}" for page, target in links if not (page.parent / target).exists()
    ] == []


def test_every_specification_that_is_on_names_tests_that_are_there() -> None:
    rows = [
        line.strip("|\n ").split(" | ")
        for line in (DOCS / "standards.md").read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| specification")
    ]
    assert len(rows) > 30
    named = {row[0]: re.findall(r"`([a-z_/0-9]+\.py)`", row[-1]) for row in rows}
    assert [name for name, tests in named.items() if not tests] == [row[0] for row in rows if row[1] == "off"]
    missing = {test for tests in named.values() for test in tests if not (ROOT / "tests" / test).is_file()}
    assert missing == set()
