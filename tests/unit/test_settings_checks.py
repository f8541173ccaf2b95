"""What production doesn't run with, and variables that are misspelt."""

from pathlib import Path

import pytest

from app.core.config import load_settings
from app.core.settings_checks import misspelt
from tests.support.laws import ROOT
from tests.support.settings import faults_of

KEY = "7d1f0b6c92e84a35b0c7f18d2e6a9354"
VALUE = "hunter2-and-more"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql+asyncpg://ada@db/postern",
    "SECRET_KEYS": f"first:{KEY}",
}


pytestmark = pytest.mark.usefixtures("clean_environment")


def placeholders() -> dict[str, str]:
    """What .env.example proposes to replace."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    pairs = (line.removeprefix("# ").partition("=") for line in lines if "=" in line)
    return {name: value for name, _, value in pairs if name not in ("ENVIRONMENT", "ALLOWED_HOSTS")}


@pytest.mark.parametrize(("name", "value"), placeholders().items())
def test_production_takes_no_placeholder(name: str, value: str) -> None:
    given = {"PUBLIC_URL": "https://blog.example.org", **PRODUCTION, name: value}
    [fault] = faults_of(**given)

    assert name in fault
    assert "placeholder" in fault
    assert value not in fault


@pytest.mark.parametrize(
    "secret",
    ["a" * 32, "abcd1234" * 4, "0123456789abcdef" * 2, "change-me-change-me-change-me-now", "1234567" * 5 + "1"],
)
def test_production_takes_no_secret_that_could_be_guessed(secret: str) -> None:
    [fault] = faults_of(**PRODUCTION | {"SECRET_KEYS": f"good:{KEY},bad:{secret}"})

    assert fault.startswith("SECRET_KEYS: secret 2 could be guessed")
    assert secret not in fault


@pytest.mark.parametrize(
    ("passes", "memory", "least"), [("1", "8", "47104"), ("2", "19455", "19456"), ("20", "8", "7168")]
)
def test_production_hashes_passwords_no_weaker_than_owasp_asks_for(passes: str, memory: str, least: str) -> None:
    weak = {"PASSWORD_TIME_COST": passes, "PASSWORD_MEMORY_KIB": memory}
    [fault] = faults_of(**PRODUCTION, **weak)

    assert f"write {least} or more" in fault
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (PRODUCTION | weak | {"PASSWORD_MEMORY_KIB": least}).items():
            patch.setenv(name, value)
        assert load_settings().password_memory_kib == int(least)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DB_POOL_SIEZ", "DB_POOL_SIZE"),
        ("SECRET_KEY", "SECRET_KEYS"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("public_uri", "PUBLIC_URL"),
        ("RATE_LIMIT_SIGNIN_TOTAL", "RATE_LIMIT_SIGN_IN_TOTAL"),
    ],
)
def test_a_misspelt_variable_stops_the_start_with_the_right_name(tmp_path: Path, name: str, meant: str) -> None:
    expected = [f"{name.upper()}: there is no such setting; did you mean {meant}?"]

    assert faults_of(**{name: VALUE}) == expected
    (tmp_path / ".env").write_text(f"{name}={VALUE}\n")
    assert faults_of() == expected


def test_variables_of_others_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_HOST", "SMTP_HOST", "TEST_DATABASE_URL", "LOG_DIR", "PGDATABASE", "SECRET_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("SECRET_KEYS", f"first:{KEY}")  # so that the other's is another's

    assert list(load_settings().secret_keys) == ["first"]


def test_opentelemetrys_own_variables_are_no_misspelling() -> None:
    assert list(misspelt(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], ["otel_exporter_otlp_endpoint"])) == []
