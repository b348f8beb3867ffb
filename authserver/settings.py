"""Every option once: type, unit, default, help.

Environment `AUTHSERVER_NAME` > `authserver.toml` (or the file AUTHSERVER_CONFIG names) > default. The file may also
hold the tables that `authserver apply` reads; they mean nothing here.
A name that is not here is refused, because a misspelt option is an option that silently does not hold.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from authserver.administration.declarations import TABLES
from authserver.model.duration import parse_duration, show_duration
from authserver.model.faults import fault
from authserver.model.resource_tokens import ResourceTokens
from authserver.model.time import DAY, HOUR, MINUTE, SECOND
from authserver.model.trusted_issuer import TrustedIssuer
from authserver.setting_values import (
    DatabaseUrl,
    HeaderName,
    Issuer,
    Networks,
    RedisUrl,
    SigningAlgorithms,
    Span,
    Words,
    check_resource_tokens,
    default_password_threads,
    mask_url,
    number,
)

__all__ = ["Settings", "SettingsError", "config_file", "durations", "load_settings", "mask_url"]

PREFIX = "AUTHSERVER_"
CONFIG_VARIABLE = "AUTHSERVER_CONFIG"
DEFAULT_CONFIG = "authserver.toml"


class SettingsError(Exception):
    """The settings are not usable; the text says which and why, for the person who set them."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        validate_default=False,
        hide_input_in_errors=True,
    )

    # A table: one setting, one entry.
    # fmt: off
    issuer: Issuer = Field("http://127.0.0.1:8000", description=(
        "Public URL of this server and the `iss` of its tokens. https, except on loopback; no query, fragment or "
        "trailing slash. Everything outside compares it byte by byte: change it and every token is void."))
    database_url: DatabaseUrl = Field("sqlite+aiosqlite:///var/authserver.db", repr=False, description=(
        "SQLAlchemy URL: `sqlite+aiosqlite:///PATH` or `postgresql+asyncpg://USER:PASSWORD@HOST/NAME`. "
        "The only place where state lives."))
    database_pool_size: int = Field(8, ge=1, le=200, description="Connections per worker process (PostgreSQL).")
    redis_url: RedisUrl = Field(None, repr=False, description=(
        "Redis or Valkey, `redis://` or `rediss://`. Makes changes reach other servers sooner and counts log-in "
        "attempts per address over all of them; without it, or while it is down, everything still holds."))
    keys_dir: Path = Field(Path("keys"), description=(
        "Directory of `master.key`, which encrypts the signing keys in the database. Readable by the server alone."))

    access_token_ttl: Span = Field(5 * MINUTE, ge=10 * SECOND, le=DAY, description=(
        "Longest lifetime of an access token. A client may have a shorter one."))
    refresh_idle_ttl: Span = Field(14 * DAY, ge=MINUTE, description="A refresh token unused this long is dead.")
    refresh_absolute_ttl: Span = Field(30 * DAY, ge=MINUTE, description=(
        "From log-in to the end of its refresh tokens, however often they are used."))
    refresh_grace: Span = Field(10 * SECOND, ge=0, le=5 * MINUTE, description=(
        "How long the refresh token before the current one still gets the same successor (lost answer, two tabs). "
        "0: any second use is reuse."))
    session_idle_ttl: Span = Field(HOUR, ge=MINUTE, description="A browser session unused this long is over.")
    session_absolute_ttl: Span = Field(DAY, ge=MINUTE, description="A browser session ends this long after log-in.")

    signing_algorithms: SigningAlgorithms = Field(("RS256",), description=(
        "For which algorithms there are signing keys: RS256, always, and any of PS256, ES256 and EdDSA, which a client "
        "may then have its tokens signed with. Name them only when every server of the database knows them."))
    dpop_nonce: Literal["off", "required"] = Field("off", description=(
        "Ask for a nonce of this server in every DPoP proof (RFC 9449 section 8): proofs cannot be made ahead, and "
        "clients whose clock is wrong get in. Costs each client one more request at the start and after a pause."))

    signing_key_bits: Annotated[Literal[2048, 3072, 4096], BeforeValidator(number)] = Field(2048, description=(
        "Size of new RSA signing keys. 3072 signs three times slower, 4096 six times."))
    key_rotation_interval: Span = Field(90 * DAY, ge=HOUR, description="How long a key signs before the next one does.")
    key_announce_before: Span = Field(DAY, ge=15 * MINUTE, description=(
        "How long a new key is published before it signs, so that every cached JWKS has it by then."))

    password_threads: int = Field(default_factory=default_password_threads, ge=1, le=64, description=(
        "Threads that hash passwords, per worker process. Default: one less than the machine has cores."))
    password_queue: int = Field(1000, ge=1, description=(
        "Log-ins that may wait for such a thread, and as many for their turn among those from their address; "
        "more are answered 503 at once."))
    login_account_burst: int = Field(10, ge=1, description=(
        "Failed log-ins in a row on one account from places it was never used from."))
    login_account_interval: Span = Field(MINUTE, ge=SECOND, description="After the burst: one attempt per this time.")
    login_known_burst: int = Field(20, ge=1, description=(
        "The same for a device or address the account is known on, counted apart, so that a flood from elsewhere "
        "does not lock its owner out."))
    login_known_interval: Span = Field(30 * SECOND, ge=SECOND, description="After the burst: one per this time.")
    login_address_limit: int = Field(100, ge=1, description="Failed log-ins from one address, on any account, ...")
    login_address_window: Span = Field(10 * MINUTE, ge=SECOND, description="... within this time.")
    login_address_parallel: int = Field(20, ge=1, description=(
        "Log-ins from one address that a worker process checks at the same time; the others wait for their turn. By so "
        "many, times the processes, the failures from one address can exceed their limit. At least PASSWORD_THREADS, "
        "or one address cannot use them all."))

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Server processes.")
    tls_cert: Path | None = Field(None, description="Certificate chain (PEM), to serve https without a proxy.")
    tls_key: Path | None = Field(None, description="Its private key (PEM).")
    shutdown_grace: Span = Field(10 * SECOND, ge=0, description="How long requests in progress may take at shutdown.")
    trusted_proxies: Networks = Field((), description=(
        "Networks (CIDR, separated by commas) whose X-Forwarded-For and X-Forwarded-Proto are believed."))
    client_certificate_header: HeaderName = Field(None, description=(
        "Header in which TRUSTED_PROXIES pass on a client's TLS certificate, for instance `Client-Cert` (RFC 9440) or "
        "`X-SSL-Client-Cert` (PEM). It is removed from the requests of everybody else. Without it there is no mutual "
        "TLS."))
    client_certificate_verified_header: HeaderName = Field(None, description=(
        "Header in which they say `SUCCESS` when the certificate's chain is good. Without it `tls_client_auth` is off; "
        "self-signed certificates and tokens bound to certificates do without."))
    client_secret_jwt: bool = Field(False, description=(
        "Let clients be registered for `client_secret_jwt`. Prefer `private_key_jwt`: there the server holds nothing "
        "with which somebody could pose as the client."))
    max_body_bytes: int = Field(65536, ge=1024, description="Larger request bodies are refused (413).")
    request_timeout: Span = Field(10 * SECOND, ge=100, description=(
        "How long a caller may take to send the headers of a request, and after them its body (408), and to read some "
        "of what waits for it."))

    feed_access: Literal["public", "clients"] = Field("public", description=(
        "Who may read the revocation feed: anybody (it holds no identifiers, and caches may share it), or only "
        "confidential clients with their credentials (HTTP Basic)."))

    registration: Literal["off", "token", "open"] = Field("off", description=(
        "Who may register clients with `POST /register` (RFC 7591): nobody, who has an initial access token, anybody."))
    client_documents: Literal["off", "on"] = Field("off", description=(
        "Whether a URL may be a client's id: its metadata is fetched from there (Client ID Metadata Documents)."))
    registration_grant_types: Words = Field(
        ("authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"),
        description="Grant types that clients of both kinds may have.")
    registration_scopes: Words = Field(
        ("openid", "profile", "email", "address", "phone", "offline_access"),
        description="Scopes that they may have; what else they name is left out. Never one that administers.")
    registration_resources: Words = Field((), description=(
        "Resources that they may ask tokens for, all of them; the first is their default. None: this server alone."))
    registration_address_rate: int = Field(30, ge=1, le=100_000, description="Registrations from one address an hour.")
    registration_rate: int = Field(1000, ge=1, le=1_000_000, description="Registrations from everywhere an hour.")
    registration_unused_ttl: Span = Field(30 * DAY, ge=HOUR, description=(
        "A client of both kinds that got no tokens for this long is removed."))

    outgoing_timeout: Span = Field(3 * SECOND, ge=100, le=30 * SECOND, description=(
        "How long a request of this server to a client's addresses (keys, metadata, log-out) may take in all, from the "
        "look-up of the name to the last byte."))
    outgoing_ca_file: Path | None = Field(None, description=(
        "Certificate authorities (PEM) to be trusted by such requests instead of the system's."))
    outgoing_allow_loopback: bool = Field(False, description=(
        "Let such requests reach this machine, also by plain http. For development and tests: with it, whoever "
        "registers a client can have this server ask its own neighbours."))

    trusted_issuers: tuple[TrustedIssuer, ...] = Field((), description=(
        "Tables `[[trusted_issuers]]`: whose assertions are traded for tokens (RFC 7523), see "
        "[assertions](guide/assertions.md). In the environment as JSON."))

    resource_tokens: tuple[ResourceTokens, ...] = Field((), description=(
        "Tables `[[resource_tokens]]`: resources whose access tokens are opaque or signed with another algorithm, "
        "whichever client asks, see [introspection](guide/introspect.md). In the environment as JSON."))

    keep_dead: Span = Field(30 * DAY, ge=0, description="How long ended sessions stay for those who ask what happened.")
    keep_audit: Span = Field(400 * DAY, ge=DAY, description="How long the audit log is kept.")
    purge_interval: Span = Field(5 * MINUTE, ge=SECOND, description="How often expired rows are deleted.")

    log_format: Literal["console", "json"] = Field("console", description="Log lines for people or for machines.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    access_log: bool = Field(False, description="One log line per request (never its query string).")
    # fmt: on

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = config_file()
        file = (InitSettingsSource(settings_cls, _settings_in(path)),) if path else ()
        return (init_settings, env_settings, *file)

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together")
        if self.client_certificate_verified_header and not self.client_certificate_header:
            raise ValueError("client_certificate_verified_header needs client_certificate_header")
        if self.client_certificate_header and not self.trusted_proxies:
            raise ValueError("client_certificate_header needs trusted_proxies: it is believed from nobody else")
        check_resource_tokens(self.resource_tokens, self.signing_algorithms)
        if self.refresh_idle_ttl > self.refresh_absolute_ttl:
            raise ValueError("refresh_idle_ttl is longer than refresh_absolute_ttl")
        if self.session_idle_ttl > self.session_absolute_ttl:
            raise ValueError("session_idle_ttl is longer than session_absolute_ttl")
        return self

    @property
    def master_key_path(self) -> Path:
        return self.keys_dir / "master.key"

    @property
    def is_https(self) -> bool:
        return self.issuer.startswith("https:")

    @property
    def issuer_path(self) -> str:
        """The path part of the issuer, "" for most."""
        return urlsplit(self.issuer).path


def config_file() -> Path | None:
    """The file to read; raises SettingsError when AUTHSERVER_CONFIG names one that is not there."""
    named = os.environ.get(CONFIG_VARIABLE)
    path = Path(named or DEFAULT_CONFIG)
    if path.is_file():
        return path
    if named:
        raise SettingsError(f"{CONFIG_VARIABLE}: there is no file {named}")
    return None


def _settings_in(path: Path) -> dict[str, Any]:
    """What the file says apart from declarations; raises OSError, UnicodeDecodeError, TOMLDecodeError."""
    document = tomllib.loads(path.read_text("utf-8"))
    return {name: value for name, value in document.items() if name not in TABLES}


def load_settings(**overrides: Any) -> Settings:
    """Settings from overrides (None is left out), environment and file; raises SettingsError, one line per fault."""
    _refuse_unknown_variables()
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(dict(e)) for e in error.errors(include_input=False))) from None
    except (ValueError, OSError) as error:  # tomllib.TOMLDecodeError and undecodable environment values
        raise SettingsError(f"{config_file() or 'environment'}: {error}") from None


def _refuse_unknown_variables() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {CONFIG_VARIABLE}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError("\n".join(_unknown(name, sorted(known)) for name in unknown))


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name}: there is no such setting" + (f"; did you mean {near[0]}?" if near else "")


def _explain(error: dict[str, Any]) -> str:
    name = str(error["loc"][0]) if error["loc"] else "settings"  # whichever place in a list it is
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        return _unknown(name, sorted([*Settings.model_fields, *TABLES]))
    show = show_duration if name in durations() else str
    message = fault(str(error["type"]), error.get("ctx", {}), str(error["msg"]), show)
    if len(error["loc"]) > 2:  # a line of a table
        message = f"{error['loc'][-1]}: {message}"
    return f"{name} ({PREFIX}{name.upper()}): {message}" if name in Settings.model_fields else message


def durations() -> frozenset[str]:
    """The settings whose value is a duration in milliseconds."""
    return frozenset(
        name
        for name, field in Settings.model_fields.items()
        if any(isinstance(m, BeforeValidator) and m.func is parse_duration for m in field.metadata)
    )
