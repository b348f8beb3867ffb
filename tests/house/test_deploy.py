"""What Dockerfile, compose.yaml and the unit file promise; there is no Docker here to ask."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from authserver.settings import CONFIG_VARIABLE, PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (DEPLOY / "compose.yaml").read_text()
NGINX = re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text())
"""Without comments: what is only talked about protects nobody."""
GUIDE = (ROOT / "docs/guide/forward-auth.md").read_text()
UNIT = (DEPLOY / "systemd" / "authserver.service").read_text()
FILES = [ROOT / "Dockerfile", *(path for path in DEPLOY.rglob("*") if path.is_file())]


def service(name: str) -> str:
    """The lines of one service in compose.yaml, with those of the anchors it merges."""
    block = re.search(rf"^  {name}:.*\n((?:    .*\n|\n)+)", COMPOSE, re.MULTILINE)
    assert block is not None, name
    if "<<: *server" not in block[1]:
        return block[1]
    anchor = re.search(r"^x-server: &server\n((?:  .*\n)+)", COMPOSE, re.MULTILINE)
    assert anchor is not None
    return anchor[1] + block[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", path.read_text()))
    assert named <= {PREFIX + name.upper() for name in Settings.model_fields} | {CONFIG_VARIABLE}


def test_the_values_of_the_image_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in re.findall(rf"({PREFIX}[A-Z_]+)=(\S+)", DOCKERFILE):
        monkeypatch.setenv(name, value)
    assert str(load_settings().master_key_path) == "/var/lib/authserver/keys/master.key"


def test_the_values_of_compose_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in re.findall(rf"^    ({PREFIX}[A-Z_]+): (\S+)$", COMPOSE, re.MULTILINE):
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.redis_url is not None
    assert len(settings.trusted_proxies) == 1


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users
    assert users[-1].split(":")[0].isdecimal(), "a number, so that orchestrators can check that it is not root"
    assert int(users[-1].split(":")[0]) > 0


def test_the_image_is_built_from_the_hashed_lock_and_checks_its_health() -> None:
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    assert "HEALTHCHECK" in DOCKERFILE
    assert "/healthz" in DOCKERFILE


def test_only_what_is_named_goes_into_the_image() -> None:
    """No key, no database, no virtual environment, whatever lies about in the checkout."""
    first, *named = (ROOT / ".dockerignore").read_text().split()
    assert first == "*"
    allowed = {entry[1:] for entry in named if entry.startswith("!")}
    sources = [line.split()[:-1] for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)]
    copied = {source for line in sources for source in line}
    assert copied <= allowed
    assert all((ROOT / source).exists() for source in copied)


@pytest.mark.parametrize("name", ["server-a", "server-b", "setup"])
def test_servers_run_without_rights_on_a_read_only_file_system(name: str) -> None:
    lines = service(name)
    assert "read_only: true" in lines
    assert "cap_drop: [ALL]" in lines
    assert "no-new-privileges:true" in lines
    assert "ports:" not in lines, "only the proxy is reached from outside"


def test_compose_has_two_servers_a_database_a_cache_and_a_proxy() -> None:
    names = set(
        re.findall(r"^  ([a-z-]+):", COMPOSE.partition("\nservices:\n")[2].partition("\nnetworks:\n")[0], re.MULTILINE)
    )
    assert names == {"setup", "server-a", "server-b", "postgres", "valkey", "proxy"}
    assert "image: postgres:18" in COMPOSE
    assert "image: valkey/valkey:9" in COMPOSE
    assert ":latest" not in COMPOSE


def test_no_password_stands_in_a_file_here() -> None:
    for path in FILES:
        assert not re.search(r"://[^\s:/@]+:(?!\$\{)[^\s@/]+@", path.read_text()), path.name


def test_the_proxy_hides_metrics_and_replaces_what_callers_claim() -> None:
    assert "location = /metrics { return 404; }" in NGINX
    assert "X-Forwarded-For $remote_addr" in NGINX
    assert NGINX.count("{") == NGINX.count("}")


def test_the_proxy_lets_streams_pass_as_they_come_and_has_room_for_thousands() -> None:
    (stream,) = re.findall(r"location = /revocations/stream \{(.*?)\}", NGINX, re.DOTALL)
    assert "proxy_pass http://authserver;" in stream
    assert "proxy_buffering off;" in stream
    assert "proxy_read_timeout 1h;" in stream
    (connections,), (files,) = (
        re.findall(rf"{name} (\d+);", NGINX) for name in ("worker_connections", "_rlimit_nofile")
    )
    assert int(files) >= int(connections) >= 8192


@pytest.mark.parametrize("header", ["X-Auth-Subject", "X-Auth-Scope", "X-Auth-Session", "Authorization"])
def test_the_guide_sets_from_the_answer_what_visitors_could_send_themselves(header: str) -> None:
    nginx = re.sub(r"#.*", "", re.findall(r"```nginx\n(.*?)```", GUIDE, re.DOTALL)[0])
    variable = re.findall(rf"proxy_set_header {header} +(\$\w+);", nginx)
    assert len(variable) == 1
    answer = header.lower().replace("-", "_")
    assert re.search(rf"auth_request_set {re.escape(variable[0])} +\$upstream_http_{answer};", nginx)


def test_the_secret_is_readable_in_the_containers_and_nowhere_else() -> None:
    """Compose mounts the file with its owner and mode of the host."""
    told = COMPOSE.partition("\nx-server:")[0]
    assert "mkdir -m 700 secrets" in told
    assert "chmod 444 secrets/database_password" in told
    assert "umask" not in told


def test_nobody_starts_as_root_without_the_right_to_become_somebody_else() -> None:
    for name in ("server-a", "server-b", "setup", "valkey"):
        if "cap_drop: [ALL]" in service(name):
            assert 'user: "' in service(name) or "build: .." in service(name), "the image's own USER is no root"


def test_systemd_confines_the_server_and_does_not_restart_what_cannot_work() -> None:
    for line in ("User=authserver", "NoNewPrivileges=true", "ProtectSystem=strict", "RestartPreventExitStatus=2"):
        assert line in UNIT
    assert "serve" in re.findall(r"^ExecStart=(.*)$", UNIT, re.MULTILINE)[0]
