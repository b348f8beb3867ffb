"""Logs never carry credentials; metrics add up."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from authserver import telemetry

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


@pytest.fixture
def _logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines(_logging: None, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    telemetry.set_up_logging("json", "INFO")
    found: list[dict[str, object]] = []

    class Lines(list[dict[str, object]]):
        def __iter__(self) -> Iterator[dict[str, object]]:
            found.extend(json.loads(line) for line in capsys.readouterr().err.splitlines())
            return iter(found)

    return Lines()


@pytest.mark.parametrize(
    "field",
    [
        "password",
        "client_secret",
        "access_token",
        "refresh_token",
        "token",
        "authorization",
        "cookie",
        "csrf_token",
        "private_key",
        "master_key",
        "Set-Cookie",
    ],
)
def test_a_field_named_like_a_credential_is_not_logged(lines: list[dict[str, object]], field: str) -> None:
    telemetry.logger("t").info("x", **{field: "hunter2"})
    assert "hunter2" not in json.dumps(list(lines))


@pytest.mark.parametrize(
    "text",
    [
        f"bad token {JWT}",
        "Authorization: Bearer abcdefghijkl",
        "Basic dXNlcjpwYXNz",
        "r" * 96,
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        "postgresql://me:hunter2@db/x",
    ],
)
def test_a_text_that_holds_a_credential_is_cut(lines: list[dict[str, object]], text: str) -> None:
    telemetry.logger("t").info("x", detail=text)
    logged = json.dumps(list(lines))
    assert telemetry.REDACTED in logged
    assert text not in logged
    assert "hunter2" not in logged


def test_a_traceback_is_cut_likewise(lines: list[dict[str, object]]) -> None:
    try:
        raise ValueError(f"could not read {JWT}")
    except ValueError as error:
        telemetry.logger("t").error("bug", exc_info=error)
    logged = json.dumps(list(lines))
    assert "ValueError" in logged
    assert JWT not in logged


def test_lines_of_libraries_take_the_same_way(lines: list[dict[str, object]]) -> None:
    logging.getLogger("uvicorn.error").warning("got %s", JWT)
    (line,) = list(lines)
    assert line["level"] == "warning"
    assert JWT not in json.dumps(line)


def test_a_line_carries_the_request_it_belongs_to(lines: list[dict[str, object]]) -> None:
    reset = telemetry.request_id.set("req-12345678")
    telemetry.logger("t").info("x")
    telemetry.request_id.reset(reset)
    assert next(iter(lines))["request_id"] == "req-12345678"


def test_a_tally_counts_by_label() -> None:
    telemetry.REFRESHES.inc("rotated")
    assert 'authserver_refreshes_total{result="rotated"}' in telemetry.render_metrics().decode()


def test_a_gauge_is_asked_when_somebody_looks_and_may_be_registered_again() -> None:
    telemetry.gauge("authserver_test_gauge", "test", lambda: 1.0)
    telemetry.gauge("authserver_test_gauge", "test", lambda: 2.0)
    assert "authserver_test_gauge 2.0" in telemetry.render_metrics().decode()


@pytest.mark.usefixtures("_logging")
def test_nothing_in_a_line_is_obeyed_by_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.set_up_logging("console", "INFO")
    try:
        raise ValueError("\x1b[31mred")
    except ValueError:
        telemetry.logger("t").exception("x", path="/\x1b]0;title\x07", agent="\u202eabc\u2028d\x85e", name="Zoë")
    said = capsys.readouterr().err
    assert all(character.isprintable() or character == "\n" for character in said)
    first = said.splitlines()[0]
    assert "path=/\\x1b]0;title\\x07" in first
    assert "agent=" in first
    assert "Zoë" in first
