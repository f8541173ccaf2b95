"""The gate is open for a sound project and closes for each planted fault."""

import asyncio
from collections.abc import Callable

import pytest
from alembic.util import CommandError
from pgfolder import binary
from safestep import gate
from safestep.connections import execute
from safestep.drift.schema import SchemaUnreadable, schema_of
from safestep.gate import GateClosed
from safestep.migrations import checksums, commands
from safestep.scratch import ScratchDatabase
from safestep_support.databases import ask
from safestep_support.revisions import Revisions
from sqlalchemy.engine import URL


def is_open(name: str, revisions: Revisions, server: URL) -> bool:
    try:
        gate.gate_checks(revisions.project, server)[name]()
    except GateClosed:
        return False
    return True


def test_every_check_holds_for_a_sound_project(revisions: Revisions, server: URL) -> None:
    checksums.seal(revisions.project)

    for name in gate.gate_checks(revisions.project, server):
        assert is_open(name, revisions, server), name


def test_a_revision_that_python_cannot_read_closes_the_gate(revisions: Revisions) -> None:
    revisions.add("planted").write_text("from nowhere import something\n")

    with pytest.raises(GateClosed, match=r"\.py:1: ModuleNotFoundError: No module named 'nowhere'$"):
        gate.readable(revisions.project)


def test_two_heads_close_the_gate(revisions: Revisions) -> None:
    revisions.add("one", after="tables")
    revisions.add("another", after="tables")

    with pytest.raises(GateClosed, match="2 heads"):
        gate.one_head(revisions.project)


def test_an_unsafe_revision_closes_the_gate(revisions: Revisions) -> None:
    revisions.add("unsafe", "op.execute('CREATE INDEX ix_posts_title ON posts (title)')")

    with pytest.raises(GateClosed, match="ix_posts_title"):
        gate.safe_to_run(revisions.project)


def test_an_edited_revision_closes_the_gate(revisions: Revisions) -> None:
    checksums.seal(revisions.project)
    file = revisions.versions / "tables.py"
    file.write_text(file.read_text() + "\n# a harmless remark\n")

    with pytest.raises(GateClosed, match=r"tables\.py was edited after it was sealed"):
        gate.committed_revisions(revisions.project)

    checksums.seal(revisions.project)
    with pytest.raises(GateClosed, match="was edited"):
        gate.committed_revisions(revisions.project)


def test_a_removed_revision_closes_the_gate(revisions: Revisions) -> None:
    checksums.seal(revisions.project)
    (revisions.versions / "tables.py").unlink()

    with pytest.raises(GateClosed, match=r"tables\.py was removed"):
        gate.committed_revisions(revisions.project)


def test_a_new_revision_passes_once_it_is_sealed(revisions: Revisions) -> None:
    with pytest.raises(GateClosed, match=r"tables\.py is new: `shop db seal`"):
        gate.committed_revisions(revisions.project)

    assert checksums.seal(revisions.project) == ["tables.py"]

    gate.committed_revisions(revisions.project)
    assert checksums.seal(revisions.project) == []


def test_another_end_of_line_is_no_edit(revisions: Revisions) -> None:
    """Git writes CRLF where `core.autocrlf` says so."""
    checksums.seal(revisions.project)
    for file in (revisions.versions / "tables.py", checksums.checksums_file(revisions.project)):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))

    gate.committed_revisions(revisions.project)


@pytest.mark.parametrize(
    "line", ["", "<<<<<<< HEAD", f"{'0' * 64} other.py", f"{'0' * 63}  other.py", "\udcff", f"{'0' * 64}  tables.py"]
)
def test_a_line_that_is_no_checksum_is_named(revisions: Revisions, line: str) -> None:
    checksums.seal(revisions.project)
    file = checksums.checksums_file(revisions.project)
    file.write_bytes(file.read_bytes() + line.encode(errors="surrogateescape") + b"\n")

    with pytest.raises(CommandError, match=r"checksums\.txt:2 is .*: restore the file$"):
        gate.committed_revisions(revisions.project)


def test_revisions_are_sealed_wherever_alembic_keeps_them(revisions: Revisions) -> None:
    ini = revisions.root / "alembic.ini"
    ini.write_text(ini.read_text().replace("/alembic\n", "/schema\nversion_locations = %(here)s/schema/steps\n"))
    revisions.versions.rename(revisions.versions.with_name("steps"))
    (revisions.root / "alembic").rename(revisions.root / "schema")

    assert checksums.seal(revisions.project) == ["tables.py"]
    assert (revisions.root / "schema" / "checksums.txt").read_text().endswith("  tables.py\n")


def test_an_environment_that_runs_nothing_closes_the_gate(revisions: Revisions, server: URL) -> None:
    """The classic fault of an env.py: everything seems to run, and nothing is there."""
    (revisions.root / "alembic" / "env.py").write_text("from alembic import context\n")

    assert not is_open("the database reaches the head", revisions, server)


@pytest.mark.parametrize("run", [Revisions.upgrade, lambda each, url: commands.downgrade(each.project, url, "base")])
def test_an_environment_that_runs_nothing_is_no_success(
    run: Callable[[Revisions, URL], object], revisions: Revisions, empty: URL
) -> None:
    (revisions.root / "alembic" / "env.py").write_text("from alembic import context\n")

    with pytest.raises(commands.EnvironmentUnused, match=r"env\.py doesn't call safestep\.environment\.run"):
        run(revisions, empty)


@pytest.mark.parametrize(
    "fault",
    [
        "op.execute('ALTER TABLE posts ADD COLUMN subtitle text')",
        "op.execute('ALTER TABLE posts DROP COLUMN slug')",
        "op.execute('ALTER TABLE users ALTER COLUMN is_active DROP DEFAULT')",
    ],
)
def test_a_difference_between_models_and_migrations_closes_the_gate(
    revisions: Revisions, server: URL, fault: str
) -> None:
    revisions.add("planted", fault)

    assert not is_open("models and migrations agree", revisions, server)
    assert not is_open("migrations build what the models describe", revisions, server)


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
def test_what_autogenerate_overlooks_closes_the_gate_all_the_same(
    revisions: Revisions, server: URL, fault: str
) -> None:
    revisions.add("planted", fault)

    assert not is_open("migrations build what the models describe", revisions, server)


def test_autogenerate_does_overlook_a_constraint(revisions: Revisions, server: URL) -> None:
    """Why the schemas are compared as well. When this fails, Alembic has learned it."""
    revisions.add("planted", "op.execute('ALTER TABLE users DROP CONSTRAINT ck_users_email_or_name')")

    assert is_open("models and migrations agree", revisions, server)


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
    revisions: Revisions, server: URL, upgrade: str, downgrade: str
) -> None:
    revisions.add("planted", upgrade, downgrade=downgrade)

    assert not is_open("up, down and up again leaves no trace", revisions, server)


def test_a_second_upgrade_that_builds_another_schema_closes_the_gate(revisions: Revisions, server: URL) -> None:
    upgrade = "op.runs = getattr(op, 'runs', 0) + 1; op.execute(f'CREATE TABLE t{op.runs} (id int)')"
    revisions.add("planted", upgrade, downgrade="op.execute(f'DROP TABLE t{op.runs}')")

    with pytest.raises(GateClosed, match="another schema"):
        gate.reversible(revisions.project, server)


def test_the_order_of_columns_is_no_difference(revisions: Revisions, server: URL) -> None:
    """A column that a later migration adds stands last in the table, wherever the model has it."""
    revisions.add(
        "planted",
        """
        op.execute('ALTER TABLE users DROP COLUMN is_active')
        op.execute('ALTER TABLE users ADD COLUMN is_active boolean DEFAULT true NOT NULL')
        """,
    )

    assert is_open("migrations build what the models describe", revisions, server)


def test_a_dump_that_fails_says_so_in_one_line(server: URL) -> None:
    with pytest.raises(SchemaUnreadable, match=r"^pg_dump failed: .+$"):
        schema_of(server.set(database="nowhere"), binary)


def test_a_scratch_database_is_gone_afterwards(server: URL) -> None:
    with ScratchDatabase(server) as url:
        asyncio.run(execute(url, "SELECT 1"))

    assert ask(server, f"SELECT count(*) FROM pg_database WHERE datname = '{url.database}'") == [(0,)]
