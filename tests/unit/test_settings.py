"""Settings: environment over file over default, and nothing that is not understood."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authserver.model.duration import parse_duration, show_duration
from authserver.settings import Settings, SettingsError, load_settings, mask_url


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("AUTHSERVER_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refusal(**overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(**overrides)
    return str(caught.value)


def test_without_anything_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings.issuer == "http://127.0.0.1:8000"
    assert settings.database_url == "sqlite+aiosqlite:///var/authserver.db"
    assert settings.redis_url is None
    assert settings.access_token_ttl == 300_000
    assert settings.master_key_path == Path("keys/master.key")


def test_environment_wins_over_file_and_file_over_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "authserver.toml").write_text('access_token_ttl = "2m"\nport = 9001\n')
    monkeypatch.setenv("AUTHSERVER_PORT", "9002")
    settings = load_settings()
    assert (settings.access_token_ttl, settings.port) == (120_000, 9002)


def test_another_file_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("port = 9003\n")
    monkeypatch.setenv("AUTHSERVER_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().port == 9003
    monkeypatch.setenv("AUTHSERVER_CONFIG", str(tmp_path / "missing.toml"))
    assert "missing.toml" in refusal()


def test_an_unknown_variable_is_refused_with_the_nearest_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSERVER_ISUER", "https://a.example")
    assert refusal() == "AUTHSERVER_ISUER: there is no such setting; did you mean AUTHSERVER_ISSUER?"


def test_an_unknown_name_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "authserver.toml").write_text("acess_token_ttl = 60\n")
    assert refusal() == "acess_token_ttl: there is no such setting; did you mean access_token_ttl?"


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "authserver.toml").write_text("port: 1\n")
    assert "authserver.toml" in refusal()


@pytest.mark.parametrize(
    "issuer",
    [
        "http://auth.example",
        "https://auth.example/",
        "https://auth.example?x=1",
        "https://auth.example#x",
        "ftp://auth.example",
        "auth.example",
        "https://",
        "https://user:pw@auth.example",
    ],
)
def test_an_issuer_that_clients_could_not_compare_or_trust_is_refused(issuer: str) -> None:
    assert refusal(issuer=issuer).startswith("issuer (AUTHSERVER_ISSUER): must")


@pytest.mark.parametrize(
    "issuer",
    [
        "https://auth.example",
        "https://auth.example/tenant",
        "http://localhost:8000",
        "http://[::1]:8000",
    ],
)
def test_a_good_issuer_is_kept_byte_by_byte(issuer: str) -> None:
    assert load_settings(issuer=issuer).issuer == issuer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_token_ttl", "1s"),
        ("access_token_ttl", "soon"),
        ("access_token_ttl", "-5m"),
        ("signing_key_bits", 1024),
        ("workers", 0),
        ("port", 70000),
        ("log_level", "LOUD"),
        ("trusted_proxies", "10.0.0.0/99"),
        ("max_body_bytes", 1),
        ("database_url", "mysql://x"),
        ("redis_url", "http://x"),
        ("refresh_idle_ttl", "31d"),
        ("tls_cert", "cert.pem"),
    ],
)
def test_a_value_that_cannot_hold_is_refused_by_name(name: str, value: object) -> None:
    assert name in refusal(**{name: value})


def test_all_faults_are_told_at_once() -> None:
    assert len(refusal(port=-1, workers=0).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("10s", 10_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("14d", 1_209_600_000),
        ("250ms", 250),
        ("90", 90_000),
        (90, 90_000),
        (0.5, 500),
    ],
)
def test_durations_are_seconds_or_have_a_unit(text: object, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("value", [1, 999, 1000, 90_000, 300_000, 3_600_000, 86_400_000, 1_209_600_000])
def test_a_duration_that_is_shown_can_be_read_back(value: int) -> None:
    assert parse_duration(show_duration(value)) == value


def test_networks_are_separated_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSERVER_TRUSTED_PROXIES", "10.0.0.0/8, ::1 192.0.2.1")
    assert [str(n) for n in load_settings().trusted_proxies] == ["10.0.0.0/8", "::1/128", "192.0.2.1/32"]


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSERVER_REDIS_URL", "")
    assert load_settings().redis_url is None


def test_settings_do_not_print_passwords() -> None:
    settings = load_settings(database_url="postgresql+asyncpg://me:hunter2@db/x", redis_url="redis://:hunter2@r")
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings)


def test_a_refusal_does_not_repeat_the_value() -> None:
    assert "hunter2" not in refusal(database_url="mysql://me:hunter2@db/x")


def test_a_url_is_shown_without_its_password() -> None:
    assert mask_url("postgresql+asyncpg://me:pw@db:1/x") == "postgresql+asyncpg://me:***@db:1/x"
    assert mask_url("redis://:pw@r:1/0") == "redis://:***@r:1/0"
    assert mask_url("postgresql+asyncpg://h/x?password=pw&a=b") == "postgresql+asyncpg://h/x?password=***&a=b"
    assert mask_url("sqlite+aiosqlite:///x.db") == "sqlite+aiosqlite:///x.db"


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_declarations_may_stand_in_the_file_and_mean_nothing_here(tmp_path: Path) -> None:
    (tmp_path / "authserver.toml").write_text('port = 9004\n[scopes]\nread = ""\n[resources]\n[[clients]]\nid = "a"\n')
    assert load_settings().port == 9004


def test_a_misspelt_declaration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "authserver.toml").write_text('[[client]]\nid = "a"\n')
    assert refusal() == "client: there is no such setting; did you mean clients?"


def test_declarations_are_no_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHSERVER_CLIENTS", "[]")
    assert refusal().startswith("AUTHSERVER_CLIENTS: there is no such setting")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("WORKERS", "0", "workers (AUTHSERVER_WORKERS): must be at least 1"),
        ("PORT", "70000", "port (AUTHSERVER_PORT): must be at most 65535"),
        ("WORKERS", "many", "workers (AUTHSERVER_WORKERS): must be a whole number"),
        ("ACCESS_LOG", "perhaps", "access_log (AUTHSERVER_ACCESS_LOG): must be true or false"),
        ("LOG_FORMAT", "xml", "log_format (AUTHSERVER_LOG_FORMAT): must be 'console' or 'json'"),
        ("SESSION_IDLE_TTL", "1s", "session_idle_ttl (AUTHSERVER_SESSION_IDLE_TTL): must be at least 1m"),
    ],
)
def test_a_fault_is_told_in_words_for_people(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"AUTHSERVER_{variable}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value) == said


def test_a_certificate_header_is_believed_from_somebody_or_not_set() -> None:
    assert "trusted_proxies" in refusal(client_certificate_header="Client-Cert")
    assert "client_certificate_header" in refusal(
        client_certificate_verified_header="Verify", trusted_proxies="10.0.0.1"
    )
    assert "client_certificate_header" in refusal(client_certificate_header="Client Cert", trusted_proxies="10.0.0.1")


def test_the_wishes_of_resources_are_read_and_those_that_cannot_be_kept_are_named(tmp_path: Path) -> None:
    def with_table(text: str) -> None:
        (tmp_path / "authserver.toml").write_text(text)

    one = '[[resource_tokens]]\nresource = "https://api.example"\n'
    with_table(one + 'format = "opaque"\n')
    (wanted,) = load_settings().resource_tokens
    assert (wanted.resource, wanted.format, wanted.typ) == ("https://api.example", "opaque", None)
    with_table(one + 'signed_response_alg = "PS256"\n')
    assert "signing_algorithms does not have PS256" in refusal()
    with_table(one + one)
    assert "stands there twice" in refusal()
    with_table('[[resource_tokens]]\nresource = "api"\n')
    assert "absolute URI" in refusal()
    with_table(one + 'form = "opaque"\n')
    assert "form" in refusal()
    with_table(one + 'format = "saml"\n')
    assert "format" in refusal()


def test_a_table_of_a_trusted_issuer_is_read_and_a_misspelt_line_in_it_named(tmp_path: Path) -> None:
    table = (
        '[[trusted_issuers]]\nissuer = "https://idp.example"\njwks_uri = "https://idp.example/k"\nclients = ["app"]\n'
    )
    (tmp_path / "authserver.toml").write_text(table)
    (trusted,) = load_settings().trusted_issuers
    assert (trusted.issuer, trusted.clients, trusted.single_use) == ("https://idp.example", ("app",), True)
    (tmp_path / "authserver.toml").write_text(table + 'scope = ["read"]\n')
    assert "scope" in refusal()
