"""The settings: what is wrong stops the start, is named, and is never quoted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from argon2 import Type, extract_parameters
from pydantic import SecretStr, ValidationError

from app.core.config import Settings, load_settings
from app.core.security import Passwords
from tests.support.laws import ROOT
from tests.support.settings import faults_of

PASSWORD = "hunter2-and-more"
KEY = "7d1f0b6c92e84a35b0c7f18d2e6a9354"


pytestmark = pytest.mark.usefixtures("clean_environment")


def test_without_any_setting_it_is_development() -> None:
    settings = load_settings()

    assert settings.environment == "development"
    assert settings.database_url is None
    assert list(settings.secret_keys) == ["development"]


async def test_hashing_a_password_costs_what_owasp_asks_for() -> None:
    hashed = extract_parameters(await Passwords(load_settings()).hash(PASSWORD))

    assert (hashed.type, hashed.time_cost, hashed.memory_cost, hashed.parallelism) == (Type.ID, 2, 19 * 1024, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "prod"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("DB_POOL_SIZE", "0"),
        ("DB_POOL_SIZE", "many"),
        ("DB_MAX_OVERFLOW", "-1"),
        ("DB_STATEMENT_TIMEOUT", "0"),
        ("DB_LOCK_TIMEOUT", "nan"),
        ("DB_CONNECT_TIMEOUT", "99999"),
        ("DB_PREPARED_STATEMENTS", "perhaps"),
        ("MAX_BODY_BYTES", "1"),
        ("SECRET_KEYS", f"first:{KEY[1:]}"),
        ("DATABASE_URL", "garbage"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(name: str, value: str) -> None:
    [fault] = faults_of(**{name: value})

    assert fault.startswith(f"{name}: ")
    assert len(fault.splitlines()) == 1


def test_every_fault_has_a_line() -> None:
    faults = faults_of(DB_POOL_SIZE="many", LOG_LEVEL="LOUD", DATABASE_URL=f"sqlite://{PASSWORD}", SECRET_KEYS=PASSWORD)

    assert sorted(fault.partition(":")[0] for fault in faults) == [
        "DATABASE_URL",
        "DB_POOL_SIZE",
        "LOG_LEVEL",
        "SECRET_KEYS",
    ]
    assert PASSWORD not in "".join(faults)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ada:{PASSWORD}@db.internal/postern",
        f"postgres://ada:{PASSWORD}@db.internal/postern",
        f"postgresql+psycopg2://ada:{PASSWORD}@db.internal/postern",
        f"postgresql+pg8000://ada:{PASSWORD}@db.internal/postern",
        f"sqlite:///{PASSWORD}/postern.db",
        f"sqlite+aiosqlite:///{PASSWORD}/postern.db",
        f"mysql+aiomysql://ada:{PASSWORD}@db.internal/postern",
        PASSWORD,
        f"//{PASSWORD}@db.internal",
        f"postgresql+asyncpg://ada:p@word:{PASSWORD}@db.internal/postern",
        f"postgresql+asyncpg://ada:secret@db.internal:{PASSWORD}/postern",
    ],
)
def test_any_other_database_url_is_refused_with_the_one_to_write(url: str) -> None:
    [fault] = faults_of(DATABASE_URL=url)

    assert "write postgresql+asyncpg://" in fault
    assert PASSWORD not in fault
    assert "db.internal" not in fault


@pytest.mark.parametrize("url", ["postgresql://localhost/postern", "postgres://localhost/postern"])
def test_a_synchronous_url_is_told_both_drivers(url: str) -> None:
    [fault] = faults_of(DATABASE_URL=url)

    assert "postgresql+asyncpg://" in fault
    assert "postgresql+psycopg://" in fault


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_both_asynchronous_drivers_are_accepted(monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    url = f"postgresql+{driver}://ada:{PASSWORD}@db.internal:5432/postern?sslmode=require"
    monkeypatch.setenv("DATABASE_URL", url)

    settings = load_settings()

    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == url
    assert PASSWORD not in repr(settings)


def test_settings_made_without_our_loader_quote_nothing_either() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(database_url=SecretStr(f"postgresql://ada:{PASSWORD}@db/postern"), log_level=PASSWORD)  # type: ignore[arg-type] - wrong on purpose

    assert PASSWORD not in str(raised.value)


def test_production_needs_a_database() -> None:
    [fault] = faults_of(ENVIRONMENT="production", SECRET_KEYS=f"first:{KEY}")

    assert "set DATABASE_URL=postgresql+asyncpg://" in fault


def test_production_needs_a_secret() -> None:
    [fault] = faults_of(ENVIRONMENT="production", DATABASE_URL=f"postgresql+asyncpg://ada:{PASSWORD}@db/postern")

    assert "set SECRET_KEYS=" in fault
    assert PASSWORD not in fault


def test_production_names_everything_that_is_missing_at_once() -> None:
    faults = faults_of(ENVIRONMENT="production", SMTP_URL="smtp://mail", RATE_LIMIT_STORAGE="async+memory://")

    assert [fault.partition(" ")[0].rstrip(":") for fault in faults] == [
        "DATABASE_URL",
        "SECRET_KEYS",
        "PUBLIC_URL",
        "RATE_LIMIT_STORAGE",
    ]


@pytest.mark.parametrize(
    ("environment", "hosts"),
    [
        ({}, ()),
        ({"PUBLIC_URL": "https://example.com"}, ()),
        ({"ENVIRONMENT": "production"}, ()),
        ({"ENVIRONMENT": "production", "PUBLIC_URL": "https://example.com/blog"}, ("example.com",)),
        (
            {"ENVIRONMENT": "production", "PUBLIC_URL": "https://a.com", "ALLOWED_HOSTS": "b.com,c.com"},
            ("b.com", "c.com"),
        ),
        ({"ENVIRONMENT": "production", "PUBLIC_URL": "https://a.com", "ALLOWED_HOSTS": "*"}, ()),
    ],
)
def test_production_answers_for_its_public_host_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], hosts: tuple[str, ...]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://db/postern")
    monkeypatch.setenv("SECRET_KEYS", f"first:{KEY}")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert load_settings().hosts == hosts


def test_production_with_both_starts_and_logs_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://db/postern")
    monkeypatch.setenv("SECRET_KEYS", f"first:{KEY}")

    settings = load_settings()

    assert settings.is_production
    assert settings.logs_as_json


@pytest.mark.parametrize(("log_format", "as_json"), [(None, False), ("console", False), ("json", True)])
def test_development_logs_for_people_unless_told_otherwise(log_format: str | None, as_json: bool) -> None:
    assert load_settings(log_format=log_format).logs_as_json is as_json


def test_a_dotenv_file_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(f"LOG_LEVEL=DEBUG\nDB_POOL_SIZE=3\nSECRET_KEYS=first:{KEY}\nSOMEBODY_ELSES=1\n")
    monkeypatch.setenv("DB_POOL_SIZE", "4")

    settings = load_settings()

    assert settings.log_level == "DEBUG"
    assert settings.db_pool_size == 4
    assert list(settings.secret_keys) == ["first"]


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("DB_POOL_SIZE", "")

    settings = load_settings()

    assert settings.database_url is None
    assert settings.db_pool_size == 10


def test_several_keys_keep_their_order_and_their_colons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEYS", f" new:{KEY}:=, old:{KEY} ,")

    keys = load_settings().secret_keys

    assert [(key_id, secret.get_secret_value()) for key_id, secret in keys.items()] == [
        ("new", f"{KEY}:="),
        ("old", KEY),
    ]


@pytest.mark.parametrize("keys", [KEY, f":{KEY}", "first:short", f"first:{KEY},second", f"same:{KEY},same:{KEY}x"])
def test_keys_that_do_not_parse_are_refused_without_a_word_of_them(keys: str) -> None:
    [fault] = faults_of(SECRET_KEYS=keys)

    assert fault.startswith("SECRET_KEYS: ")
    assert KEY not in fault
    assert "short" not in fault


@pytest.mark.parametrize("command", [["-c", "import app.main"], ["-m", "app.cli.main", "db", "current"]])
def test_nothing_starts_with_a_wrong_setting(tmp_path: Path, command: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DATABASE_URL": f"postgresql://ada:{PASSWORD}@db/postern"}

    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "DATABASE_URL: 'postgresql://' names a synchronous driver" in done.stderr
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr
    assert done.stdout == ""
