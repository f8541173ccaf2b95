"""The service's settings: read once from the environment (and `.env`), validated before anything starts."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.core.errors import InvalidSettings

ASYNC_DRIVERS = ("postgresql+asyncpg", "postgresql+psycopg")

SECRET_LENGTH = 32

Seconds = Annotated[float, Field(gt=0, le=3600)]
# At least 10 ms: PostgreSQL counts in milliseconds, and 0 would mean no timeout at all.
BriefSeconds = Annotated[float, Field(ge=0.01, le=60)]


class Settings(BaseSettings):
    """Every field is an environment variable of the same name in capitals; README.md lists them."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
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

    migration_lock_timeout: BriefSeconds = 2.0
    migration_attempts: int = Field(default=12, ge=1, le=1000)
    migration_retry_delay: BriefSeconds = 1.0
    migration_statement_timeout: Annotated[float, Field(ge=0.01, le=3600)] = 60.0
    migration_concurrent_timeout: Annotated[float, Field(ge=0.01, le=7 * 86400)] = 3600.0
    migration_max_replication_lag_mb: int = Field(default=64, ge=1)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] | None = None
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024, le=1024**3)

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def logs_as_json(self) -> bool:
        return (self.log_format or ("json" if self.is_production else "console")) == "json"

    @field_validator("database_url")
    @classmethod
    def _asynchronous(cls, value: SecretStr | None) -> SecretStr | None:
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
        if self.database_url is None:
            raise ValueError(
                "DATABASE_URL is required when ENVIRONMENT=production: "
                "set DATABASE_URL=postgresql+asyncpg://user:password@host:5432/database"
            )
        if not self.secret_keys:
            raise ValueError(
                "SECRET_KEYS is required when ENVIRONMENT=production: set SECRET_KEYS=id:secret with a secret of "
                "32 characters or more, for example the output of `openssl rand -base64 32`"
            )
        return self


def load_settings(**values: Any) -> Settings:
    """The validated settings; explicit values win over the environment, which wins over `.env`.

    Raises InvalidSettings with one line a fault, never with a value in it.
    """
    try:
        return Settings(**values)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidSettings([_describe(fault["loc"], fault["msg"]) for fault in faults]) from None


def _describe(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{str(location[0]).upper()}: {text}" if location else text


def parse_database_url(text: str) -> URL:
    """The URL of an asynchronous PostgreSQL driver; ValueError says what to write instead."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a ValueError quotes what should have been the port
        raise ValueError(f"not a database URL; write {ASYNC_DRIVERS[0]}://user:password@host:5432/database") from None
    if url.drivername in ASYNC_DRIVERS:
        return url
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(
            f"{url.drivername!r} is not supported: Postern runs on PostgreSQL, write {ASYNC_DRIVERS[0]}://…"
        )
    instead = " or ".join(f"{driver}://…" for driver in ASYNC_DRIVERS)
    raise ValueError(
        f"'{url.drivername}://' names a synchronous driver, and every call here is asynchronous: write {instead}"
    )
