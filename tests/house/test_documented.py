"""A setting, route or command that is not documented does not exist for its users."""

from __future__ import annotations

import re
from pathlib import Path

import click
import typer.main

from authserver import settings
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


def test_links_between_pages_lead_somewhere() -> None:
    links = [
        (page, target)
        for page in [ROOT / "README.md", *DOCS.rglob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    ]
    assert [
        f"{page.relative_to(ROOT)}: {target}" for page, target in links if not (page.parent / target).exists()
    ] == []
