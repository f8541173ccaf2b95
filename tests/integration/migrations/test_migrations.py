"""The application's migrations: the gate is open for them, and `postern db` works on its database and its settings."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
import typer
from alembic.util import CommandError
from safestep import gate
from safestep.cli import make_app
from safestep.connections import execute
from safestep.migrations import checksums, commands
from safestep.project import Limits
from sqlalchemy.engine import URL
from sqlalchemy.exc import ProgrammingError
from typer.testing import CliRunner, Result

from app.cli import main
from app.cli.main import app, run
from app.core.errors import InvalidSettings
from app.core.product import COMMAND
from app.db.migrations import make_project, project
from tests.integration.migrations.project_copy import assert_formatted
from tests.support.application import SECRET, make_settings
from tests.support.database import ask


def postern_db(*arguments: str, url: URL, **environment: str) -> Result:
    """`postern db …` on this database."""
    text = url.render_as_string(hide_password=False)
    return CliRunner().invoke(app, ["db", *arguments], env={"DATABASE_URL": text, **environment})


def state_of(url: URL) -> list[str]:
    """The columns of every table, and the revision."""
    query = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"
    return sorted(row[0] for row in ask(url, f"{query} UNION SELECT 'at ' || version_num FROM alembic_version"))


def test_the_gate_is_open_for_the_committed_migrations(server: URL) -> None:
    result = CliRunner().invoke(app, ["db", "gate", "--server", server.render_as_string(hide_password=False)])

    assert result.exit_code == 0
    opened = [line for line in result.output.splitlines() if line.startswith("open: ")]
    assert opened == [f"open: {name}" for name in gate.gate_checks(project, server)]


def test_without_a_server_the_gate_gets_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(_project: object, url: URL) -> dict[str, gate.GateCheck]:
        return {"it answers": lambda: asyncio.run(execute(url, "SELECT 1"))}

    monkeypatch.setattr(gate, "gate_checks", answers)

    assert CliRunner().invoke(app, ["db", "gate"]).output == "open: it answers\n"


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_the_commands_work_through_both_drivers(database: URL, server: URL, driver: str) -> None:
    url = database.set(drivername=f"postgresql+{driver}")
    everything = sorted(["alembic_version.version_num", *(f"at {head}" for head in commands.heads(project))])

    assert postern_db("upgrade", url=url).exit_code == 0
    full = state_of(url)
    assert set(everything) < set(full)
    assert postern_db("current", "--check-heads", url=url).exit_code == 0
    on_server = ("--server", server.render_as_string(hide_password=False))
    assert postern_db("check", *on_server, url=url).exit_code == 0
    ask(url, "ALTER TABLE api_keys DROP COLUMN prefix")
    assert postern_db("check", *on_server, url=url).exit_code == 1

    assert postern_db("downgrade", "base", url=url).exit_code == 0
    assert postern_db("current", "--check-heads", url=url).exit_code == 1
    assert postern_db("upgrade", url=url).exit_code == 0
    assert state_of(url) == full


def test_messages_name_the_command_as_it_is_typed(database: URL) -> None:
    remedy = f"run `{COMMAND} db upgrade`"

    assert postern_db("current", url=database).stdout == f"no revision yet: {remedy}\n"
    missing = commands.missing_migration(project, database)
    assert missing is not None
    assert re.sub(r"\b[0-9a-f]{12}\b", "…", missing) == f"the database has no revision yet, this code needs …: {remedy}"


def test_a_new_revision_is_written_formatted_and_sealed(database: URL, project_copy: Path) -> None:
    own = make_project(root=project_copy)
    commands.upgrade(own, database)
    ask(database, "DROP INDEX ix_users_created_at_id")
    environment = {"DATABASE_URL": database.render_as_string(hide_password=False)}

    written = CliRunner().invoke(make_app(own), ["revision", "-m", "the index comes back"], env=environment)

    assert written.exit_code == 0, written.output
    [revision] = (project_copy / "alembic" / "versions").glob("*_the_index_comes_back.py")
    assert '"ix_users_created_at_id"' in revision.read_text()
    assert_formatted(revision)
    assert checksums.seal(own) == [revision.name]
    assert checksums.unsealed_changes(own) == []


def test_what_loses_data_in_production_needs_a_yes(url: URL) -> None:
    production = {"ENVIRONMENT": "production", "SECRET_KEYS": f"test:{SECRET}"}

    refused = postern_db("downgrade", "base", url=url, **production)
    assert isinstance(refused.exception, CommandError)
    assert "needs --yes" in str(refused.exception)
    assert ask(url, "SELECT count(*) FROM users") == [(0,)]
    done = postern_db("downgrade", "--yes", "base", url=url, **production)
    assert (done.exit_code, " (down) " in done.output) == (0, True)


def test_the_settings_are_the_limits_of_migrations() -> None:
    settings = make_settings(
        migration_lock_timeout=0.5,
        migration_attempts=7,
        migration_retry_delay=0.25,
        migration_statement_timeout=11,
        migration_concurrent_timeout=12,
        migration_max_replication_lag_mb=13,
    )

    assert make_project(lambda: settings).limits() == Limits(
        lock_timeout=0.5,
        attempts=7,
        retry_delay=0.25,
        statement_timeout=11,
        concurrent_timeout=12,
        max_replication_lag_mb=13,
    )
    assert make_project(make_settings).limits() == Limits(), "safestep's own defaults"


@pytest.mark.parametrize("timeout", [0, 0.0001, 61])
def test_a_lock_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(InvalidSettings, match="MIGRATION_LOCK_TIMEOUT"):
        make_settings(migration_lock_timeout=timeout)


@pytest.mark.parametrize("arguments", [["import", "."], ["users", "create-admin", "ada@example.com"]], ids=" ".join)
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize("harm", ["DROP TABLE users CASCADE", "ALTER TABLE users DROP COLUMN is_active"])
def test_a_command_on_a_database_that_is_behind_ends_in_one_line(
    database: URL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    driver: str,
    harm: str,
) -> None:
    commands.upgrade(project, database)
    ask(database, harm)
    (tmp_path / "first.md").write_text("---\ntitle: First\nauthor: Ada\n---\n")
    url = database.set(drivername=f"postgresql+{driver}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setattr(sys, "argv", ["postern", *arguments])
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: "a quiet green harbour")

    with pytest.raises(SystemExit) as exited:
        run()

    out, err = capsys.readouterr()
    assert (exited.value.code, out) == (1, "")
    reason = f"the database lacks tables or columns that this code needs: run `{COMMAND} db upgrade`"
    assert err.splitlines()[-1] == f"{COMMAND}: {reason}"


def test_a_fault_of_our_own_sql_is_not_blamed_on_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault() -> None:
        raise ProgrammingError("SELEC", None, SyntaxError())

    monkeypatch.setattr(main, "app", fault)

    with pytest.raises(ProgrammingError):
        run()
