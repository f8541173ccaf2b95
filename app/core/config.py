"""The service's settings: read once from the environment (and `.env`), validated before anything starts."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from limits import parse
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.core.errors import InvalidSettings
from app.core.product import COMMAND, NAME
from app.core.settings_checks import PLACEHOLDERS, misspelt, placeholders, weak_hashing, weak_secret

ASYNC_DRIVERS = ("postgresql+asyncpg", "postgresql+psycopg")

ENV_FILE = ".env"
SECRET_LENGTH = 32

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes. No route allows a larger body: parsing it would keep other requests waiting."""

Seconds = Annotated[float, Field(gt=0, le=3600)]
# At least 10 ms: PostgreSQL counts in milliseconds, and 0 would mean no timeout at all.
BriefSeconds = Annotated[float, Field(ge=0.01, le=60)]


def _rate(value: str) -> str:
    try:
        parse(value)
    except ValueError:
        raise ValueError("write a number and a period, like 10/minute") from None
    return value


def _split(value: Any) -> Any:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


RateLimit = Annotated[str, AfterValidator(_rate)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Every field is an environment variable of the same name in capitals; README.md lists them."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    environment: Literal["development", "test", "production"] = "development"
    data_dir: Path = Path(".data")
    database_url: SecretStr | None = None
    secret_keys: Annotated[dict[str, SecretStr], NoDecode] = Field(default_factory=dict)

    db_pool_size: int = Field(default=10, ge=1, le=500)
    db_max_overflow: int = Field(default=10, ge=0, le=500)
    db_pool_timeout: Seconds = 5.0
    db_pool_recycle: Seconds = 1800.0
    db_connect_timeout: Seconds = 5.0
    db_statement_timeout: Seconds = 10.0
    db_lock_timeout: Seconds = 3.0
    db_idle_in_transaction_timeout: Seconds = 15.0
    db_prepared_statements: bool = True

    registration: Literal["open", "admins"] = "open"
    public_users: Literal["authors", "everybody", "nobody"] = "authors"
    unverified_may: Literal["write", "read", "nothing"] | None = None
    access_token_lifetime: Seconds = 900.0
    refresh_token_lifetime: float = Field(default=30 * 86400.0, ge=60, le=366 * 86400)
    token_issuer: str = Field(default=COMMAND, min_length=1)
    token_audience: str = Field(default=COMMAND, min_length=1)
    password_time_cost: int = Field(default=2, ge=1, le=20)
    password_memory_kib: int = Field(default=19 * 1024, ge=8, le=4 * 1024 * 1024)
    password_concurrency: int = Field(default=1, ge=1, le=64)

    public_url: str = Field(default="http://127.0.0.1:8000", pattern=r"^https?://[^\s]+$")
    smtp_url: SecretStr | None = None
    mail_from: str = Field(default=f"{NAME} <{COMMAND}@localhost>", min_length=3)

    rate_limit_storage: SecretStr | None = None
    rate_limit_sign_in_address: RateLimit = "60/minute"
    rate_limit_sign_in_account: RateLimit = "60/hour"
    rate_limit_sign_in_total: RateLimit = "300/hour"
    rate_limit_reset_address: RateLimit = "20/hour"
    rate_limit_reset_account: RateLimit = "5/hour"
    rate_limit_reset_total: RateLimit = "20/hour"
    rate_limit_registration_address: RateLimit = "100/hour"
    rate_limit_registration_account: RateLimit = "10/hour"
    rate_limits: bool = True

    compiled_routes: bool = True
    allowed_hosts: Names = ()
    cors_origins: Names = ()

    migration_lock_timeout: BriefSeconds = 2.0
    migration_attempts: int = Field(default=12, ge=1, le=1000)
    migration_retry_delay: BriefSeconds = 1.0
    migration_statement_timeout: Annotated[float, Field(ge=0.01, le=3600)] = 60.0
    migration_concurrent_timeout: Annotated[float, Field(ge=0.01, le=7 * 86400)] = 3600.0
    migration_max_replication_lag_mb: int = Field(default=64, ge=1)

    otel_exporter_otlp_endpoint: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
    operator_token: Annotated[SecretStr, Field(min_length=SECRET_LENGTH)] | None = None

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] | None = None
    request_timeout: Seconds = 12.0
    stop_grace: Annotated[float, Field(ge=0, le=3600)] | None = None
    http_head_bytes: int = Field(default=64 * 1024, ge=1024, le=1024**2)
    http_header_lines: int = Field(default=100, ge=10, le=1000)
    http_head_timeout: Seconds = 10.0
    http_body_timeout: Seconds = 30.0
    http_write_timeout: Seconds = 30.0
    http_keep_alive: int = Field(default=75, ge=1, le=3600)
    max_body_bytes: int = Field(default=64 * 1024, ge=1024, le=LARGEST_BODY)

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def logs_as_json(self) -> bool:
        return (self.log_format or ("json" if self.is_production else "console")) == "json"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that requests may name; an empty tuple allows any. Production defaults to PUBLIC_URL's host."""
        if "*" in self.allowed_hosts:
            return ()
        known = (urlsplit(self.public_url).hostname,) if "public_url" in self.model_fields_set else ()
        return self.allowed_hosts or (tuple(filter(None, known)) if self.is_production else ())

    @property
    def grace_before_stop(self) -> float:
        """Seconds in which a load balancer can see that the process is about to stop."""
        return self.stop_grace if self.stop_grace is not None else (5.0 if self.is_production else 0.0)

    @property
    def unverified_accounts_may(self) -> Literal["write", "read", "nothing"]:
        return self.unverified_may or ("read" if self.is_production else "write")

    @field_validator("smtp_url")
    @classmethod
    def _is_smtp(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("smtp://", "smtps://")):
            raise ValueError("write smtp://user:password@host:587 or smtps://user:password@host:465")
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def _has_async_storage(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith("async+"):
            raise ValueError("write async+redis://host:6379/0; other storages would block the service")
        return value

    @field_validator("database_url")
    @classmethod
    def _has_async_driver(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_database_url(value.get_secret_value())
        return value

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _parse_keys(cls, value: Any, info: ValidationInfo) -> Any:
        """`SECRET_KEYS` is `id:secret[,id:secret…]`: the first signs, all of them verify."""
        if not isinstance(value, str):
            return value
        pairs = [entry.strip().partition(":") for entry in value.split(",") if entry.strip()]
        if any(not key_id or len(secret) < SECRET_LENGTH for key_id, _, secret in pairs):
            raise ValueError("write id:secret, several separated by commas, each secret of 32 characters or more")
        if len({key_id for key_id, _, _ in pairs}) < len(pairs):
            raise ValueError("every key needs an id of its own")
        return {key_id: secret for key_id, _, secret in pairs}

    @model_validator(mode="after")
    def _complete_in_production(self) -> Self:
        if not self.is_production:
            return self
        if faults := list(self._faults_in_production()):
            raise ValueError("\n".join(faults))
        return self

    def _faults_in_production(self) -> Iterator[str]:
        if self.database_url is None:
            yield (
                "DATABASE_URL is required when ENVIRONMENT=production: "
                "set DATABASE_URL=postgresql+asyncpg://user:password@host:5432/database"
            )
        if not self.secret_keys:
            yield (
                "SECRET_KEYS is required when ENVIRONMENT=production: set SECRET_KEYS=id:secret with a secret of "
                "32 characters or more, for example the output of `openssl rand -base64 32`"
            )
        for number, secret in enumerate(self.secret_keys.values(), start=1):
            if weak_secret(secret.get_secret_value()):
                yield (  # what stands before the colon isn't quoted: it is part of a secret that has no id
                    f"SECRET_KEYS: secret {number} could be guessed: it is a placeholder or repeats itself; "
                    "write the output of `openssl rand -base64 32`"
                )
        if fault := weak_hashing(time_cost=self.password_time_cost, memory_kib=self.password_memory_kib):
            yield fault
        yield from placeholders({name: _text(getattr(self, name)) for name in PLACEHOLDERS})
        if self.smtp_url and "public_url" not in self.model_fields_set:
            yield "PUBLIC_URL is required with SMTP_URL: set PUBLIC_URL=https://example.com, where links in mails lead"
        if self.rate_limit_storage and self.rate_limit_storage.get_secret_value().startswith("async+memory"):
            yield "RATE_LIMIT_STORAGE: every process would count for itself; write async+redis://host:6379/0"


def load_settings(**values: Any) -> Settings:
    """The validated settings; explicit values win over the environment, which wins over `.env`.

    Raises InvalidSettings with one line a fault, never with a value in it.
    """
    lines = list(misspelt(_variables(values.get("_env_file", ENV_FILE)), Settings.model_fields))
    try:
        settings = Settings(**values)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        lines += chain.from_iterable(_describe(fault["loc"], fault["msg"]).splitlines() for fault in faults)
        raise InvalidSettings(lines) from None
    if lines:
        raise InvalidSettings(lines)
    if settings.secret_keys:
        return settings
    return settings.model_copy(update={"secret_keys": {"development": development_secret(settings.data_dir)}})


def _text(value: str | SecretStr | None) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


def _variables(env_file: str | None) -> set[str]:
    """The names of all variables, whoever they are for."""
    return {*os.environ, *DotEnvSettingsSource(Settings, env_file=env_file).env_vars}


def development_secret(folder: Path) -> SecretStr:
    """A secret of this checkout's own, made once and readable by its owner alone; never used in production."""
    file = folder / "secret_key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            _write_once(file, secrets.token_urlsafe(SECRET_LENGTH))
        return SecretStr(file.read_text())
    except OSError as error:
        raise InvalidSettings([f"DATA_DIR: can't keep a secret in {folder}: {error.strerror}"]) from None


def _write_once(file: Path, text: str) -> None:
    """Writes atomically; of several processes the first wins, and a reader never sees an empty file."""
    descriptor, draft = tempfile.mkstemp(dir=file.parent)  # mode 0600
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    with suppress(FileExistsError):
        os.link(draft, file)
    Path(draft).unlink()


def _describe(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{str(location[0]).upper()}: {text}" if location else text


def parse_database_url(text: str) -> URL:
    """The URL of an asynchronous PostgreSQL driver; ValueError says what to write instead."""
    try:
        url = make_url(text)
    # The ValueError quotes the text where the port should be, which may be a password.
    except (ArgumentError, ValueError):
        raise ValueError(f"not a database URL; write {ASYNC_DRIVERS[0]}://user:password@host:5432/database") from None
    if url.drivername in ASYNC_DRIVERS:
        return url
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(
            f"{url.drivername!r} is not supported: {NAME} runs on PostgreSQL, write {ASYNC_DRIVERS[0]}://…"
        )
    instead = " or ".join(f"{driver}://…" for driver in ASYNC_DRIVERS)
    raise ValueError(
        f"'{url.drivername}://' names a synchronous driver, and every call here is asynchronous: write {instead}"
    )
