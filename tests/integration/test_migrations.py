"""Migrations: the gates are open for what is committed and close for each planted fault; the commands work as typed."""

import asyncio
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import typer
from alembic.config import main as alembic_main
from alembic.script import ScriptDirectory
from pgfolder.server import binary
from safestep import gate
from safestep.drift.schema import SchemaUnreadable, schema_of
from safestep.gate import GateClosed, Scratch
from safestep.migrations import commands as migrations
from sqlalchemy.engine import URL
from sqlalchemy.exc import ProgrammingError
from typer.testing import CliRunner

from app.cli import main
from app.cli.main import app, run
from tests.support.laws import ROOT
from tests.support.revisions import Revisions

PASSWORD = "canary-password-0123"
PROGRAMS = Path(sys.executable).parent

REVISION = '''"""planted

Revision ID: {name}
Revises: {after}
"""

from alembic import op

revision = "{name}"
down_revision = "{after}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


@pytest.fixture
def server(template: URL, monkeypatch: pytest.MonkeyPatch) -> URL:
    """Where scratch databases are made."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # Alembic puts the project's folder in front
    return template.set(database="postgres")


@pytest.fixture
def database(server: URL) -> Iterator[URL]:
    """An empty database."""
    with Scratch(server) as url:
        yield url


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the migrations, to plant faults in."""
    shutil.copytree(ROOT / "alembic", tmp_path / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("alembic.ini", "pyproject.toml"):
        shutil.copy(ROOT / file, tmp_path)
    return tmp_path


def plant(project: Path, upgrade: str, downgrade: str = "pass", *, name: str = "planted", after: str = "") -> Path:
    """A revision that does this, after the given one or after the head."""
    [head] = migrations.heads(project)
    file = project / "alembic" / "versions" / f"{name}.py"
    file.write_text(REVISION.format(name=name, after=after or head, upgrade=upgrade, downgrade=downgrade))
    return file


def is_open(name: str, server: URL, root: Path) -> bool:
    try:
        gate.gates(server, root)[name]()
    except GateClosed:
        return False
    return True


def state_of(url: URL) -> list[str]:
    """The columns of every table, and the revision."""
    query = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"
    return sorted(psql(url, f"{query} UNION SELECT 'at ' || version_num FROM alembic_version").splitlines())


def psql(url: URL, statement: str) -> str:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [binary("psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", plain, "-c", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_gate_is_open_for_the_committed_migrations(server: URL) -> None:
    result = CliRunner().invoke(app, ["db", "gate", "--server", server.render_as_string(hide_password=False)])

    assert result.exit_code == 0
    opened = [line for line in result.output.splitlines() if line.startswith("open: ")]
    assert opened == [f"open: {name}" for name in gate.gates(server)]


def test_without_a_server_the_gates_get_one_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(url: URL) -> dict[str, gate.Gate]:
        return {"it answers": lambda: asyncio.run(gate.execute(url, "SELECT 1"))}

    monkeypatch.setattr(gate, "gates", answers)

    assert CliRunner().invoke(app, ["db", "gate"]).output == "open: it answers\n"


def test_a_revision_that_python_cannot_read_closes_the_gate(project: Path) -> None:
    plant(project, "pass").write_text("from nowhere import something\n")

    with pytest.raises(GateClosed, match=r"\.py:1: ModuleNotFoundError: No module named 'nowhere'$"):
        gate.readable(project)


def test_two_heads_close_the_gate(server: URL, project: Path) -> None:
    base = ScriptDirectory(str(project / "alembic")).get_base()
    assert base
    plant(project, "pass", after=base)

    with pytest.raises(GateClosed, match="2 heads"):
        gate.one_head(project)


def test_an_edited_revision_closes_the_gate(project: Path) -> None:
    revision = next((project / "alembic" / "versions").glob("*.py"))
    revision.write_text(revision.read_text() + "\n# a harmless remark\n")

    with pytest.raises(GateClosed, match=f"{revision.name} was edited after it was sealed"):
        gate.committed_revisions(project)


def test_a_removed_revision_closes_the_gate(project: Path) -> None:
    revision = next((project / "alembic" / "versions").glob("*.py"))
    revision.unlink()

    with pytest.raises(GateClosed, match=f"{revision.name} was removed"):
        gate.committed_revisions(project)


def test_a_new_revision_passes_once_it_is_sealed(project: Path) -> None:
    plant(project, "pass")
    with pytest.raises(GateClosed, match=r"planted\.py is new"):
        gate.committed_revisions(project)

    assert migrations.seal(project) == ["planted.py"]

    gate.committed_revisions(project)
    assert migrations.seal(project) == []


def test_without_its_ledger_every_revision_is_new(project: Path) -> None:
    (project / "alembic" / migrations.CHECKSUMS).unlink()

    assert len(migrations.edited(project)) == len(list((project / "alembic" / "versions").glob("*.py")))


def test_sealing_does_not_forgive_an_edit(project: Path) -> None:
    revision = next((project / "alembic" / "versions").glob("*.py"))
    revision.write_text(revision.read_text() + "\n# a harmless remark\n")
    migrations.seal(project)

    with pytest.raises(GateClosed, match="was edited"):
        gate.committed_revisions(project)


def test_an_environment_that_runs_nothing_closes_the_gate(server: URL, project: Path) -> None:
    """The classic fault of an env.py: everything seems to run, and nothing is there."""
    [_, *later] = reversed(list(ScriptDirectory(str(project / "alembic")).walk_revisions()))
    for revision in later:
        Path(revision.path).unlink()
    env = project / "alembic" / "env.py"
    call = "asyncio.run(migration_runner.migrate(url, settings, options, ENVIRONMENT))"
    assert call in env.read_text()
    env.write_text(env.read_text().replace(call, "pass"))

    assert not is_open("the database reaches the head", server, project)


@pytest.mark.parametrize(
    "fault",
    [
        "op.execute('ALTER TABLE posts ADD COLUMN subtitle text')",
        "op.execute('ALTER TABLE posts DROP COLUMN slug')",
        "op.execute('ALTER TABLE users ALTER COLUMN is_active DROP DEFAULT')",
    ],
)
def test_a_difference_between_models_and_migrations_closes_the_gate(server: URL, project: Path, fault: str) -> None:
    plant(project, fault)

    assert not is_open("models and migrations agree", server, project)
    assert not is_open("migrations build what the models describe", server, project)


@pytest.mark.parametrize(
    "fault",
    [
        "op.execute('ALTER TABLE users ADD CONSTRAINT short CHECK (char_length(name) < 100)')",
        "op.execute('ALTER TABLE users DROP CONSTRAINT ck_users_email_or_name')",
        "op.execute('ALTER INDEX ix_posts_published RENAME TO ix_posts_by_date')",
        "op.execute(\"CREATE TYPE mood AS ENUM ('ok')\")",
        "op.execute('CREATE FUNCTION one() RETURNS int LANGUAGE sql AS $$SELECT 1$$')",
    ],
)
def test_what_autogenerate_overlooks_closes_the_gate_all_the_same(server: URL, project: Path, fault: str) -> None:
    plant(project, fault)

    assert not is_open("migrations build what the models describe", server, project)


def test_autogenerate_does_overlook_a_constraint(server: URL, project: Path) -> None:
    """Why the schemas are compared as well. When this fails, Alembic has learned it."""
    plant(project, "op.execute('ALTER TABLE users DROP CONSTRAINT ck_users_email_or_name')")

    assert is_open("models and migrations agree", server, project)


@pytest.mark.parametrize(
    ("upgrade", "downgrade"),
    [
        ("op.execute('CREATE TABLE leftover (id int)')", "pass"),
        ("op.execute('CREATE SEQUENCE leftover')", "pass"),
        ("op.execute(\"CREATE TYPE leftover AS ENUM ('a')\")", "pass"),
        ("op.execute('CREATE TABLE IF NOT EXISTS t (id int)')", "op.execute('ALTER TABLE t ADD COLUMN extra int')"),
    ],
    ids=["a table", "a sequence", "a type", "another table than before"],
)
def test_a_downgrade_that_leaves_a_trace_closes_the_gate(
    server: URL, project: Path, upgrade: str, downgrade: str
) -> None:
    plant(project, upgrade, downgrade)

    assert not is_open("up, down and up again leaves no trace", server, project)


def test_a_second_upgrade_that_builds_another_schema_closes_the_gate(server: URL, project: Path) -> None:
    upgrade = "op.runs = getattr(op, 'runs', 0) + 1; op.execute(f'CREATE TABLE t{op.runs} (id int)')"
    plant(project, upgrade, "op.execute(f'DROP TABLE t{op.runs}')")

    with pytest.raises(GateClosed, match="another schema"):
        gate.reversible(server, project)


def test_the_order_of_columns_is_no_difference(server: URL, project: Path) -> None:
    """A column that a later migration adds stands last in the table, wherever the model has it."""
    plant(
        project,
        "op.execute('ALTER TABLE users DROP COLUMN is_active')\n"
        "    op.execute('ALTER TABLE users ADD COLUMN is_active boolean DEFAULT true NOT NULL')",
    )

    assert is_open("migrations build what the models describe", server, project)


def test_a_dump_that_fails_closes_the_gate(server: URL) -> None:
    with pytest.raises(SchemaUnreadable, match="pg_dump failed"):
        schema_of(server.set(database="nowhere"))


def postern(*arguments: str, url: URL) -> int:
    """The exit code of `postern db …` on this database."""
    text = url.render_as_string(hide_password=False)
    return CliRunner().invoke(app, ["db", *arguments], env={"DATABASE_URL": text}).exit_code


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_posterns_commands_work_through_both_drivers(database: URL, driver: str) -> None:
    url = database.set(drivername=f"postgresql+{driver}")
    everything = sorted(["alembic_version.version_num", *(f"at {head}" for head in migrations.heads())])

    assert postern("upgrade", url=url) == 0
    full = state_of(url)
    assert set(everything) < set(full)
    assert postern("current", "--check-heads", url=url) == 0
    assert postern("check", url=url) == 0

    assert postern("downgrade", "-1", url=url) == 0
    assert postern("current", url=url) == 0
    assert postern("current", "--check-heads", url=url) == 1

    assert postern("upgrade", "+1", url=url) == 0
    assert state_of(url) == full


def test_postern_check_exits_with_1_when_a_migration_is_missing(database: URL) -> None:
    postern("upgrade", url=database)
    psql(database, "ALTER TABLE posts DROP COLUMN slug")

    assert postern("check", url=database) == 1


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_database_that_lacks_what_the_code_needs_is_told_from_one_that_does_not(
    database: URL, tmp_path: Path, driver: str
) -> None:
    """In a release: expand, deploy, contract; and the new code may be rolled back."""
    revisions = Revisions(tmp_path)
    [head] = migrations.heads()
    url = database.set(drivername=f"postgresql+{driver}")
    end = "run `postern db upgrade`"

    assert migrations.lack(url) == f"the database has no revision yet, this code needs {head}: {end}"
    migrations.upgrade(url)
    assert migrations.lack(url) is None

    revisions.add("contracts", "pass", marks='phase = "contract"')
    assert migrations.lack(url, root=tmp_path) is None
    revisions.add("expands", "pass", marks='phase = "expand"')
    revisions.add("contracts_again", "pass", marks='phase = "contract"')
    assert migrations.lack(url, root=tmp_path) == f"the database is at {head}, this code needs expands: {end}"

    migrations.upgrade(url, root=tmp_path)
    assert migrations.lack(url, root=tmp_path) is None
    assert migrations.lack(url) is None, "older code than the database"


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
    migrations.upgrade(database)
    psql(database, harm)
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
    lack = "the database lacks tables or columns that this code needs: run `postern db upgrade`"
    assert err.splitlines()[-1] == f"postern: {lack}"


def test_a_fault_of_our_own_sql_is_not_blamed_on_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault() -> None:
        raise ProgrammingError("SELEC", None, SyntaxError())

    monkeypatch.setattr(main, "app", fault)

    with pytest.raises(ProgrammingError):
        run()


def test_a_database_without_a_revision_says_so(database: URL) -> None:
    text = database.render_as_string(hide_password=False)

    result = CliRunner().invoke(app, ["db", "current"], env={"DATABASE_URL": text})

    assert (result.exit_code, result.stdout) == (0, "no revision yet: run `postern db upgrade`\n")


def typed(project: Path, command: str, url: URL | str) -> subprocess.CompletedProcess[str]:
    """A command line as somebody types it in the project's folder."""
    text = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    environment = os.environ | {"DATABASE_URL": text, "PYTHONPATH": str(project)}
    program, *arguments = re.findall(r"'[^']*'|\S+", command)
    words = [PROGRAMS / program, *(argument.strip("'") for argument in arguments)]
    return subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(project: Path) -> Path:
    """A copy of the project whose code and migrations are its own."""
    shutil.copytree(ROOT / "app", project / "app", ignore=shutil.ignore_patterns("__pycache__"))
    return project


def test_alembics_own_commands_work_as_typed(database: URL, checkout: Path) -> None:
    assert typed(checkout, "alembic upgrade head", database).returncode == 0
    full = state_of(database)
    assert typed(checkout, "alembic downgrade -1", database).returncode == 0
    assert state_of(database) != full
    migrations.upgrade(database)
    assert state_of(database) == full

    psql(database, "ALTER TABLE users DROP COLUMN name CASCADE")
    psql(database, "ALTER TABLE users ADD CONSTRAINT ck_users_email_or_name CHECK (email IS NOT NULL)")
    done = typed(checkout, "alembic revision --autogenerate -m 'names come back'", database)

    assert done.returncode == 0, done.stderr
    [revision] = (checkout / "alembic" / "versions").glob("*_names_come_back.py")
    assert 'sa.Column("name", sa.String(length=200), nullable=True)' in revision.read_text()
    assert_formatted(revision)
    migrations.upgrade(database, root=checkout)
    assert {line for line in state_of(database) if not line.startswith("at ")} < set(full)


def test_postern_writes_formats_and_seals_revisions(
    database: URL, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "config", partial(migrations.config, root=project))
    monkeypatch.setattr(migrations, "seal", partial(migrations.seal, root=project))
    migrations.upgrade(database)
    psql(database, "DROP INDEX ix_posts_published")

    assert postern("revision", "-m", "the index comes back", url=database) == 0

    [revision] = (project / "alembic" / "versions").glob("*_the_index_comes_back.py")
    assert '"ix_posts_published"' in revision.read_text()
    assert_formatted(revision)
    assert CliRunner().invoke(app, ["db", "seal"]).output == f"{revision.name}\n"
    assert CliRunner().invoke(app, ["db", "seal"]).output == "nothing new\n"
    assert migrations.edited(project) == []


def assert_formatted(revision: Path) -> None:
    for command in (["format", "--check"], ["check", "--select", "I,F,E"]):
        done = subprocess.run([PROGRAMS / "ruff", *command, revision], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


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
    assert err.startswith("postern: ")


@pytest.mark.parametrize("command", ["upgrade head", "current", "check", "revision --autogenerate -m x"])
@pytest.mark.parametrize("fault", FAULTS)
def test_alembic_says_in_one_line_that_the_database_is_not_there(
    server: URL,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: str,
    command: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", wrong_urls(server)[fault])
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler()])  # as in a process of its own

    with pytest.raises(SystemExit) as exited:
        alembic_main(argv=["-c", str(project / "alembic.ini"), *command.split()])

    out, err = capsys.readouterr()
    assert_refusal(int(exited.value.code or 0), "", out + err)


@pytest.mark.parametrize(
    ("command", "fault", "lines"),
    [
        ("postern db upgrade", "nobody listens psycopg", 1),
        ("alembic upgrade head", "synchronous", 2),
    ],
)
def test_a_wrong_database_url_as_typed(server: URL, project: Path, command: str, fault: str, lines: int) -> None:
    done = typed(project, command, wrong_urls(server)[fault])

    assert_refusal(done.returncode, done.stdout, done.stdout + done.stderr, lines=lines)


def test_sql_can_be_written_without_a_database(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alembic_main(argv=["-c", str(project / "alembic.ini"), "upgrade", "head", "--sql"])

    assert "CREATE TABLE posts" in capsys.readouterr().out


def test_a_scratch_database_is_gone_afterwards(server: URL) -> None:
    with Scratch(server) as url:
        asyncio.run(gate.execute(url, "SELECT 1"))

    assert psql(server, f"SELECT count(*) FROM pg_database WHERE datname = '{url.database}'") == "0\n"
