"""Output for people cannot be bent by what strangers wrote into names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from authserver.cli.output import cell, confirm, fail, print_json, print_table, printable
from tests.cli.conftest import Desk


def test_control_characters_are_shown_instead_of_obeyed() -> None:
    assert printable("ada\x1b[31m\r\n\u202e") == "ada\\u001b[31m\\u000d\\u000a\\u202e"


def test_a_name_that_looks_like_markup_stays_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"username": "[red]ada[/red]", "id": "x" * 200}], ("id", "username"), empty="nobody")
    out = capsys.readouterr().out
    assert "[red]ada[/red]" in out
    assert "x" * 200 in out, "a pipe gets whole values, however long"


def test_an_empty_table_says_so_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([], ("id",), empty="no sessions")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "no sessions\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), ("", "-"), ([], "-"), (True, "yes"), (False, "no"), (["a", "b"], "a b"), (0, "0"), ({"a": 1}, "a=1")],
)
def test_values_read_as_people_write_them(value: object, text: str) -> None:
    assert cell(value) == text


def test_a_failure_is_one_line_on_stderr_and_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as stop:
        fail("first\nsecond", 1)
    assert stop.value.exit_code == 1
    assert capsys.readouterr().err == "authserver: first\\u000asecond\n"


def test_a_script_is_not_left_waiting_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(typer.Exit) as stop:
        confirm("Remove ada?", yes=False)
    assert stop.value.exit_code == 2
    confirm("Remove ada?", yes=True)


def test_json_is_printed_whatever_the_terminal_can_show(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_json({"name": "Zoë"})
    print_json({"name": "half a pair: \ud800"})
    readable, escaped = capsys.readouterr().out.split("}\n{")
    assert "Zoë" in readable
    assert "\\ud800" in escaped


def test_a_name_that_the_terminal_cannot_show_stops_no_command(cli: Desk) -> None:
    cli("users", "add", "Łukasz", "--no-password")
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONPATH": str(Path(__file__).parents[2])}
    for flags in ([], ["--json"]):
        ran = subprocess.run(
            [sys.executable, "-m", "authserver", "users", "list", *flags],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "\\u0141ukasz" in ran.stdout
