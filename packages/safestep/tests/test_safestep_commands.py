"""The command line of a project: what it does, and how it says in one line what is in the way."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.util import CommandError
from safestep import gate
from safestep.cli import make_app, run
from safestep.migrations import commands
from safestep.programs import ProgramMissing, program_on_path
from safestep_support.databases import DRIVERS, ask
from safestep_support.revisions import Revisions
from sqlalchemy.engine import URL
from typer.testing import CliRunner, Result

PASSWORD = "canary-password-0123"

type Command = Callable[..., Result]


@pytest.fixture(params=DRIVERS)
def driven(request: pytest.FixtureRequest, empty: URL) -> URL:
    """An empty database, once through each driver."""
    return empty.set(drivername=f"postgresql+{request.param}")


def command_on(revisions: Revisions, url: URL) -> Command:
    app = make_app(replace(revisions.project, database=lambda: nullcontext(url)))
    return lambda *words: CliRunner().invoke(app, list(words))


def tables_of(url: URL) -> list[str]:
    """The columns of every table, and the revision."""
    query = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"
    return sorted(row[0] for row in ask(url, f"{query} UNION SELECT 'at ' || version_num FROM alembic_version"))


def test_the_commands_work_through_both_drivers(revisions: Revisions, driven: URL, server: URL) -> None:
    revisions.add(
        "column", "op.add_column('posts', sa.Column('extra', sa.Text()))", downgrade="op.drop_column('posts', 'extra')"
    )
    command = command_on(revisions, driven)

    assert command("upgrade").exit_code == 0
    full = tables_of(driven)
    assert {"at column", "posts.extra", "users.name"} < set(full)
    assert command("current", "--check-heads").exit_code == 0
    checked = command("check", "--server", server.render_as_string(hide_password=False))
    assert (checked.exit_code, "DROP COLUMN extra" in checked.output) == (1, True)

    assert command("downgrade", "-1").exit_code == 0
    assert command("current").exit_code == 0
    assert isinstance(command("current", "--check-heads").exception, CommandError)

    assert command("upgrade", "+1").exit_code == 0
    assert tables_of(driven) == full


def test_a_database_without_a_revision_says_so(revisions: Revisions, empty: URL) -> None:
    result = command_on(revisions, empty)("current")

    assert (result.exit_code, result.stdout) == (0, "no revision yet: run `shop db upgrade`\n")


def test_a_new_revision_is_compared_with_the_migrated_database(revisions: Revisions, url: URL, empty: URL) -> None:
    ask(url, "DROP INDEX ix_posts_published")
    project = replace(
        revisions.project, database=lambda: nullcontext(empty), migrated_database=lambda: nullcontext(url)
    )

    assert CliRunner().invoke(make_app(project), ["revision", "-m", "index"]).exit_code == 0

    [written] = revisions.versions.glob("*_index.py")
    assert "'ix_posts_published'" in written.read_text()


def test_new_revisions_are_sealed_once(revisions: Revisions, empty: URL) -> None:
    command = command_on(revisions, empty)

    assert [command("seal").output for _ in range(2)] == ["tables.py\n", "nothing new\n"]


def test_every_check_of_the_gate_is_reported_until_one_fails(revisions: Revisions, server: URL, empty: URL) -> None:
    words = ("gate", "--server", server.render_as_string(hide_password=False))
    command = command_on(revisions, empty)

    closed = command(*words)
    assert (closed.exit_code, closed.stdout) == (1, "open: revisions can be read\nopen: one head\n")
    assert closed.stderr.startswith("closed: committed revisions are untouched\ntables.py is new")

    command("seal")
    opened = [line for line in command(*words).output.splitlines() if line.startswith("open: ")]
    assert opened == [f"open: {name}" for name in gate.gate_checks(revisions.project, server)]


def test_without_a_given_server_the_project_brings_one(
    revisions: Revisions, server: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[bool, Mapping[str, str]]] = []

    def scratch_server(folder: Path, settings: Mapping[str, str]) -> AbstractContextManager[URL]:
        asked.append((folder.is_dir(), settings))
        return nullcontext(server)

    monkeypatch.setattr(gate, "gate_checks", lambda _project, url: {f"on {url.database}": lambda: None})
    app = make_app(replace(revisions.project, scratch_server=scratch_server))

    assert CliRunner().invoke(app, ["gate"]).output == f"open: on {server.database}\n"
    assert asked == [(True, {"fsync": "off"})]


def test_a_project_without_a_server_of_its_own_asks_for_one(revisions: Revisions, empty: URL) -> None:
    failed = command_on(revisions, empty)("gate").exception

    assert isinstance(failed, CommandError)
    assert "--server URL" in str(failed)


def test_a_database_that_lacks_what_the_code_needs_is_told_from_one_that_does_not(
    revisions: Revisions, driven: URL, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """In a release: expand, deploy, contract; and the new code may be rolled back."""
    old = Revisions(tmp_path_factory.mktemp("old"))
    remedy = "run `shop db upgrade`"

    def missing() -> str | None:
        return commands.missing_migration(revisions.project, driven)

    assert missing() == f"the database has no revision yet, this code needs tables: {remedy}"
    revisions.upgrade(driven)
    assert missing() is None

    revisions.add("contracts", marks='phase = "contract"')
    assert missing() is None
    revisions.add("expands", marks='phase = "expand"')
    revisions.add("contracts_again", marks='phase = "contract"')
    assert missing() == f"the database is at tables, this code needs expands: {remedy}"

    revisions.upgrade(driven)
    assert missing() is None
    assert commands.missing_migration(old.project, driven) is None, "older code than the database"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("fault", ["nobody listens", "no such database"])
@pytest.mark.parametrize("words", ["upgrade", "current", "check --server {server}", "downgrade -1", "revision -m x"])
def test_a_database_that_is_not_there_is_one_line(
    revisions: Revisions,
    server: URL,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    driver: str,
    fault: str,
    words: str,
) -> None:
    address = {
        "nobody listens": URL.create("postgresql", "ada", PASSWORD, "127.0.0.1", 1, "shop"),
        "no such database": server.set(database="nowhere", password=PASSWORD, username=server.username or "ada"),
    }[fault]
    url = address.set(drivername=f"postgresql+{driver}")
    arguments = words.format(server=server.render_as_string(hide_password=False)).split()
    monkeypatch.setattr("sys.argv", ["shop", *arguments])

    with pytest.raises(SystemExit) as ended:
        run(replace(revisions.project, database=lambda: nullcontext(url)))

    out, err = capsys.readouterr()
    assert (ended.value.code, out, len(err.splitlines())) == (1, "", 1), err
    assert err.startswith("shop db: ")
    assert PASSWORD not in err


def test_a_client_program_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramMissing, match="there is no pg_dump on the PATH"):
        program_on_path("pg_dump")

    (tmp_path / "pg_dump").touch(0o755)
    assert program_on_path("pg_dump") == tmp_path / "pg_dump"
