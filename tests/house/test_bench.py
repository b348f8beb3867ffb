"""The benchmark measures what it says: chains are chained, a wrong answer voids the run, the JSON has its shape."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.goals import GOALS, goals_for
from benchmarks.load.plan import Plan
from benchmarks.loader import LoadError, loading
from benchmarks.process import ROOT, ServerProcess, environment, free_port, serving
from benchmarks.scenarios import SCENARIOS
from benchmarks.trials.names import NAMES


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that refreshes each chain strictly in order, and is wrong about everything else."""
    scratch, port = tmp_path_factory.mktemp("bench"), free_port()
    arguments = ["-m", "uvicorn", "tests.house.bench_stand_in:app", "--port", str(port), "--log-level", "warning"]
    with serving(arguments, port=port, ready="/", env={}, log=scratch / "log", cwd=scratch) as server:
        yield server


def a_plan(server: ServerProcess, **differing: object) -> Plan:
    return Plan(**{"port": server.port, "connections": 4, "method": "GET", "path": "/", **differing})  # type: ignore[arg-type]  # mixed values


def test_every_request_of_a_window_is_answered_and_counted(stand_in: ServerProcess) -> None:
    with loading(a_plan(stand_in)) as load:
        window = load.window(5.0, at_most=100)
    assert window.requests == 100
    assert 0 < window.p50_ms <= window.p99_ms


def test_a_window_ends_at_its_time(stand_in: ServerProcess) -> None:
    with loading(a_plan(stand_in)) as load:
        assert load.window(0.2).seconds < 5.0


def test_each_refresh_sends_the_token_of_the_answer_before(stand_in: ServerProcess) -> None:
    plan = a_plan(
        stand_in,
        method="POST",
        path="/refresh",
        kind="refresh",
        keep=10,
        bodies=["refresh_token="],
        refresh_tokens=["a.0", "b.0", "c.0", "d.0"],
    )
    with loading(plan) as load:
        first = load.window(5.0, at_most=40)
        second = load.window(5.0, at_most=40)
    assert len(set(first.access_tokens + second.access_tokens)) == 20


@pytest.mark.parametrize("path", ["/broken", "/stuck"])
def test_a_wrong_answer_voids_the_run(stand_in: ServerProcess, path: str) -> None:
    plan = a_plan(
        stand_in,
        method="POST",
        path=path,
        kind="refresh",
        bodies=["refresh_token="],
        refresh_tokens=["a.0", "b.0", "c.0", "d.0"],
    )
    with loading(plan) as load, pytest.raises(LoadError):
        load.window(5.0, at_most=40)


def test_a_dead_token_is_a_wrong_answer_although_its_status_is_200(stand_in: ServerProcess) -> None:
    with loading(a_plan(stand_in, must_contain='"active":true')) as load, pytest.raises(LoadError):
        load.window(5.0, at_most=40)


def test_what_is_sent_once_is_never_sent_again(stand_in: ServerProcess) -> None:
    with loading(a_plan(stand_in, method="POST", kind="once", bodies=["1", "2", "3", "4", "5"])) as load:
        assert load.window(5.0).requests == 5
        assert load.window(5.0).requests == 0


def test_every_goal_belongs_to_a_name() -> None:
    assert {goal.name for goal in GOALS} <= {*SCENARIOS, *NAMES}
    assert "limit_ratio ≥ 0.35" in map(str, goals_for("refresh", "postgresql+valkey"))
    assert "limit_ratio ≥ 0.35" not in map(str, goals_for("refresh", "sqlite"))


def a_short_run(*arguments: str) -> list[dict[str, Any]]:
    short = ["--backend", "sqlite", "--seconds", "0.2", "--windows", "1", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, *short],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return results


def test_one_short_run_gives_every_figure_for_every_name() -> None:
    results = a_short_run(*SCENARIOS)
    assert [result["name"] for result in results] == list(SCENARIOS)
    for result in results:
        figures = ("requests_per_second", "p50_ms", "p99_ms", "cpu_us_per_request", "peak_rss_mb", "limit_ratio")
        assert all(result[figure] > 0 for figure in figures), result


SMALL = [
    "--verifiers",
    "4",
    "--processes",
    "2",
    "--revocations",
    "5",
    "--streams",
    "20",
    "--burst",
    "1000",
    "--entries",
    "10000",
]


def test_revocation_and_validation_are_measured_in_small_too(tmp_path: Path) -> None:
    results = a_short_run("revocation", "verify", *SMALL, "--plot", str(tmp_path))
    assert [result["name"] for result in results] == [
        "revocation",
        "revocation_streams",
        "revocation_burst",
        "revocation_cold_start",
        "verify",
    ]
    latency, streams, burst, cold, verify = results
    assert 0 <= latency["p50_ms"] <= latency["p99_ms"] <= latency["worst_ms"]
    assert streams["streams"] == 20
    assert burst["rows_per_second"] > 0
    assert burst["longest_checkpoint_gap_ms"] > 0
    assert cold["entries"] >= 1_000
    assert [entry["entries"] // 1_000 for entry in verify["by_entries"]] == [1, 10]
    assert 0 < verify["lookups_us"] < verify["seen_us"] < verify["unseen_us"]
    assert len(list(tmp_path.iterdir())) == 2
