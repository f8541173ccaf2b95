"""The `alembic` command as somebody types it, and what it says when the database isn't there."""

import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import main as alembic_main
from safestep.migrations import commands
from sqlalchemy.engine import URL

from app.cli.main import run
from app.core.product import COMMAND
from app.db.migrations import make_project, project
from tests.integration.migrations.project_copy import PROGRAMS, assert_formatted
from tests.support.database import ask
from tests.support.laws import ROOT

PASSWORD = "canary-password-0123"
REVISION = "SELECT version_num FROM alembic_version"


def columns_of(url: URL) -> set[str]:
    query = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"
    return {row[0] for row in ask(url, query)}


def typed(project_copy: Path, command: str, url: URL | str) -> subprocess.CompletedProcess[str]:
    """A command line as somebody types it in the project's folder."""
    text = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    environment = os.environ | {"DATABASE_URL": text, "PYTHONPATH": str(project_copy)}
    program, *arguments = re.findall(r"'[^']*'|\S+", command)
    words = [PROGRAMS / program, *(argument.strip("'") for argument in arguments)]
    return subprocess.run(words, cwd=project_copy, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(project_copy: Path) -> Path:
    """A copy of the project whose code and migrations are its own."""
    shutil.copytree(ROOT / "app", project_copy / "app", ignore=shutil.ignore_patterns("__pycache__"))
    return project_copy


def test_alembics_own_commands_work_as_typed(database: URL, checkout: Path) -> None:
    assert typed(checkout, "alembic upgrade head", database).returncode == 0
    full, head = columns_of(database), ask(database, REVISION)
    assert typed(checkout, "alembic downgrade -1", database).returncode == 0
    assert ask(database, REVISION) != head
    commands.upgrade(project, database)
    assert (columns_of(database), ask(database, REVISION)) == (full, head)

    ask(database, "ALTER TABLE users DROP COLUMN name CASCADE")
    ask(database, "ALTER TABLE users ADD CONSTRAINT ck_users_email_or_name CHECK (email IS NOT NULL)")
    done = typed(checkout, "alembic revision --autogenerate -m 'names come back'", database)

    assert done.returncode == 0, done.stderr
    [revision] = (checkout / "alembic" / "versions").glob("*_names_come_back.py")
    assert 'sa.Column("name", sa.String(length=200), nullable=True)' in revision.read_text()
    assert_formatted(revision)
    commands.upgrade(make_project(root=checkout), database)
    assert columns_of(database) == full


def wrong_urls(server: URL) -> dict[str, str]:
    return {
        f"{fault} {driver}": url.set(drivername=f"postgresql+{driver}").render_as_string(hide_password=False)
        for driver in ("asyncpg", "psycopg")
        for fault, url in {
            "nobody listens": URL.create("postgresql", "ada", PASSWORD, "127.0.0.1", 1, "postern"),
            "no such database": server.set(database="nowhere", password=PASSWORD, username=server.username or "ada"),
        }.items()
    } | {"synchronous": f"postgresql://ada:{PASSWORD}@127.0.0.1/postern"}


FAULTS = [f"{fault} {driver}" for driver in ("asyncpg", "psycopg") for fault in ("nobody listens", "no such database")]


def assert_refusal(returncode: int, out: str, err: str, *, lines: int = 1) -> None:
    assert returncode not in (0, None)
    assert len(err.splitlines()) == lines, err
    assert "Traceback" not in out + err
    assert PASSWORD not in out + err


@pytest.mark.parametrize("command", ["upgrade head", "current", "check", "downgrade -1"])
@pytest.mark.parametrize("fault", FAULTS)
def test_postern_says_in_one_line_that_the_database_is_not_there(
    server: URL, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str, command: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", wrong_urls(server)[fault])
    monkeypatch.setattr(sys, "argv", ["postern", "db", *command.split()])

    with pytest.raises(SystemExit) as exited:
        run()

    out, err = capsys.readouterr()
    assert_refusal(int(exited.value.code or 0), out, err)
    assert err.startswith(f"{COMMAND}: ")


@pytest.mark.parametrize("command", ["upgrade head", "current", "check", "revision --autogenerate -m x"])
@pytest.mark.parametrize("fault", FAULTS)
def test_alembic_says_in_one_line_that_the_database_is_not_there(
    server: URL,
    project_copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    command: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", wrong_urls(server)[fault])
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler()])  # as in a process of its own

    with pytest.raises(SystemExit) as exited:
        alembic_main(argv=["-c", str(project_copy / "alembic.ini"), *command.split()])

    out, err = capsys.readouterr()
    assert_refusal(int(exited.value.code or 0), "", out + err)


@pytest.mark.parametrize(
    ("command", "fault", "lines"),
    [
        ("postern db upgrade", "nobody listens psycopg", 1),
        ("alembic upgrade head", "synchronous", 2),
    ],
)
def test_a_wrong_database_url_as_typed(server: URL, project_copy: Path, command: str, fault: str, lines: int) -> None:
    done = typed(project_copy, command, wrong_urls(server)[fault])

    assert_refusal(done.returncode, done.stdout, done.stdout + done.stderr, lines=lines)


def test_sql_can_be_written_without_a_database(project_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alembic_main(argv=["-c", str(project_copy / "alembic.ini"), "upgrade", "head", "--sql"])

    assert "CREATE TABLE users" in capsys.readouterr().out
