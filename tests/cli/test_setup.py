"""init, migrate, doctor: from nothing to a server that could start, and what is wrong when it could not."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import ROOT, authserver, environment, serving
from tests.servers import ValkeyServer, free_port


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    """Settings that lead to files which do not exist yet."""
    return {"database_url": f"sqlite+aiosqlite:///{tmp_path}/data/a.db", "keys_dir": tmp_path / "secret" / "keys"}


def run(tmp_path: Path, *arguments: str, status: int = 0, **settings: Any) -> str:
    done = authserver(*arguments, cwd=tmp_path, **settings)
    assert done.returncode == status, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 or done.stdout else done.stderr


def checks(tmp_path: Path, status: int, **settings: Any) -> dict[str, dict[str, str]]:
    report = json.loads(run(tmp_path, "doctor", "--json", status=status, **settings))
    assert report["ok"] is (status == 0)
    return {check["check"]: check for check in report["checks"]}


def test_init_makes_key_and_tables_and_repeating_it_changes_nothing(tmp_path: Path, place: dict[str, Any]) -> None:
    (tmp_path / "data").mkdir()
    first = json.loads(run(tmp_path, "init", "--json", **place))
    key = tmp_path / "secret" / "keys" / "master.key"
    content = key.read_bytes()
    assert first == {"master_key": str(key), "created": True, "migrations": first["migrations"]}
    assert first["migrations"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data" / "a.db").stat().st_mode) == 0o600
    assert content.decode().strip() not in json.dumps(first)

    again = json.loads(run(tmp_path, "init", "--json", **place))
    assert again == {"master_key": str(key), "created": False, "migrations": []}
    assert key.read_bytes() == content


def test_init_leaves_an_unusable_master_key_alone_and_says_so(tmp_path: Path, place: dict[str, Any]) -> None:
    place["keys_dir"].mkdir(parents=True)
    key = place["keys_dir"] / "master.key"
    key.write_text("")
    key.chmod(0o600)
    assert str(key) in run(tmp_path, "init", status=2, **place)
    assert key.read_text() == ""


def test_migrate_says_what_it_did(tmp_path: Path, place: dict[str, Any]) -> None:
    (tmp_path / "data").mkdir()
    assert run(tmp_path, "migrate", **place).startswith("migrated: 0001")
    assert run(tmp_path, "migrate", **place).strip() == "the database is up to date"


def test_migrate_tells_a_database_that_is_down(tmp_path: Path, place: dict[str, Any]) -> None:
    url = f"postgresql+asyncpg://me:hunter2@127.0.0.1:{free_port()}/x"
    told = run(tmp_path, "migrate", status=2, **{**place, "database_url": url})
    assert "database is not available" in told
    assert "hunter2" not in told


def test_doctor_finds_nothing_wrong_with_what_init_made(tmp_path: Path, place: dict[str, Any]) -> None:
    (tmp_path / "data").mkdir()
    run(tmp_path, "init", **place)
    found = checks(tmp_path, 0, **place)
    assert {check["verdict"] for check in found.values()} <= {"ok", "warning"}
    assert found["issuer"]["verdict"] == "warning", "plain http"
    assert found["signing keys"]["verdict"] == "warning", "none yet"
    assert "master key" in run(tmp_path, "doctor", **place)


def test_doctor_says_what_is_missing(tmp_path: Path, place: dict[str, Any]) -> None:
    found = checks(tmp_path, 1, **place)
    assert found["master key"]["verdict"] == "wrong"
    assert "authserver init" in found["master key"]["detail"]


def test_doctor_says_when_a_migration_is_due(tmp_path: Path, place: dict[str, Any]) -> None:
    (tmp_path / "data").mkdir()
    run(tmp_path, "init", **place)
    with sqlite3.connect(tmp_path / "data" / "a.db") as connection:
        connection.execute("DROP TABLE alembic_version")
    connection.close()
    assert "authserver migrate" in checks(tmp_path, 1, **place)["schema"]["detail"]


def test_doctor_tells_wrong_settings(tmp_path: Path, place: dict[str, Any]) -> None:
    assert "did you mean" in checks(tmp_path, 1, **place, isuer="https://x.example")["settings"]["detail"]


def test_a_dead_redis_is_a_warning_and_a_living_one_is_not(
    tmp_path: Path, place: dict[str, Any], valkey_server: ValkeyServer
) -> None:
    (tmp_path / "data").mkdir()
    run(tmp_path, "init", **place)
    assert checks(tmp_path, 0, **place, redis_url=valkey_server.url)["redis"]["verdict"] == "ok"
    dead = f"redis://127.0.0.1:{free_port()}/0"
    assert checks(tmp_path, 0, **place, redis_url=dead)["redis"]["verdict"] == "warning"


def test_the_master_key_is_replaced_as_the_guide_says(tmp_path: Path, place: dict[str, Any]) -> None:
    (tmp_path / "data").mkdir()
    run(tmp_path, "init", **place)
    (program,) = re.findall(r"<<'END'.*?\n(.*?)\nEND", (ROOT / "docs/guide/keys.md").read_text(), re.DOTALL)
    with serving(tmp_path, **place):
        pass
    (tmp_path / "secret/keys/master.key").unlink()
    subprocess.run([sys.executable, "-c", program], env=environment(place), cwd=tmp_path, check=True, timeout=60)
    run(tmp_path, "init", **place)
    with serving(tmp_path, **place) as server:
        assert httpx.get(f"{server.url}/readyz").status_code == 200
