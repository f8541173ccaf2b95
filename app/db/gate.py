"""The gate that migrations pass before they are merged, on scratch databases of a real PostgreSQL."""

import asyncio
import difflib
import subprocess
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from app.db import migrations
from app.db.embedded import binary
from app.db.models import Base

type Gate = Callable[[], None]


class GateClosed(Exception):
    """A migration gate that doesn't open; its text says what differs and what to do."""


def gates(server: URL, root: Path = migrations.ROOT) -> dict[str, Gate]:
    """Every gate by name; each raises GateClosed. The server's role must be allowed to create databases."""
    return {
        "one head": lambda: one_head(root),
        "committed revisions are untouched": lambda: committed_revisions(root),
        "revisions are safe to run": lambda: safe_to_run(root),
        "the database reaches the head": lambda: at_head(server, root),
        "models and migrations agree": lambda: models_agree(server, root),
        "up, down and up again leaves no trace": lambda: reversible(server, root),
        "migrations build what the models describe": lambda: same_schema(server, root),
    }


def one_head(root: Path) -> None:
    heads = migrations.heads(root)
    if len(heads) != 1:
        raise GateClosed(f"there are {len(heads)} heads ({', '.join(heads)}): rebase one revision onto the other")


def committed_revisions(root: Path) -> None:
    if faults := migrations.edited(root):
        raise GateClosed("\n".join(faults))


def safe_to_run(root: Path) -> None:
    from app.db.lint import lint  # a parser that no other command has to load

    report = lint(migrations.config(root=root))
    if report.findings:
        raise GateClosed(report.for_people())


def at_head(server: URL, root: Path) -> None:
    with Scratch(server) as url:
        migrations.upgrade(url, root=root)
        try:
            command.current(migrations.config(url, root=root), check_heads=True)
        except CommandError as error:
            raise GateClosed(str(error)) from error


def models_agree(server: URL, root: Path) -> None:
    with Scratch(server) as url:
        migrations.upgrade(url, root=root)
        check(url, root)


def check(url: URL, root: Path = migrations.ROOT) -> None:
    """GateClosed when autogenerate finds a difference between this database and the models."""
    try:
        command.check(migrations.config(url, root=root))
    except CommandError as error:
        raise GateClosed(f"{error}: `postern db revision -m '…'` writes what is missing") from error


def reversible(server: URL, root: Path) -> None:
    with Scratch(server) as url:
        empty = dump(url)
        migrations.upgrade(url, root=root)
        full = dump(url)
        migrations.downgrade(url, "base", root=root)
        _must_equal(empty, dump(url), "a downgrade to base leaves something behind or takes too much")
        migrations.upgrade(url, root=root)
        _must_equal(full, dump(url), "upgrading again builds another schema")


def same_schema(server: URL, root: Path) -> None:
    with Scratch(server) as migrated, Scratch(server) as described:
        migrations.upgrade(migrated, root=root)
        asyncio.run(_create_all(described))
        _must_equal(dump(described), dump(migrated), "the models (-) and the migrations (+) build different schemas")


class Scratch:
    """A database for the length of a `with` block."""

    _made = 0

    def __init__(self, server: URL) -> None:
        Scratch._made += 1
        self._server = server
        self._name = f"postern_gate_{id(self):x}_{Scratch._made}"

    def __enter__(self) -> URL:
        asyncio.run(execute(self._server, f'CREATE DATABASE "{self._name}"'))
        return self._server.set(database=self._name)

    def __exit__(self, *_: object) -> None:
        asyncio.run(execute(self._server, f'DROP DATABASE "{self._name}" WITH (FORCE)'))


async def execute(url: URL, statement: str) -> None:
    """Runs one statement outside of any transaction."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


async def _create_all(url: URL) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


def dump(url: URL) -> list[str]:
    """The schema as `pg_dump` writes it, in an order that doesn't depend on history; Alembic's own table left out.

    Statements are sorted, and so are the columns of a table: one that a later migration added stands last there.
    """
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    arguments = [
        "--schema-only",
        "--no-owner",
        "--no-comments",
        "--exclude-table=alembic_version",
        "--dbname",
        plain,
    ]
    done = subprocess.run([binary("pg_dump"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise GateClosed(f"pg_dump failed: {done.stderr.strip()}")
    lines = (line for line in done.stdout.splitlines() if not line.startswith(("--", "\\", "SET ", "SELECT ")))
    statements = [part.strip() for part in "\n".join(lines).split(";\n") if part.strip()]
    return sorted(_sorted_columns(statement) for statement in statements)


def _sorted_columns(statement: str) -> str:
    if not statement.startswith("CREATE TABLE"):
        return statement
    first, *columns, last = statement.splitlines()
    return "\n".join([first, *sorted(column.rstrip(",") for column in columns), last])


def _must_equal(expected: list[str], found: list[str], what: str) -> None:
    difference = difflib.unified_diff(expected, found, lineterm="", n=0)
    if lines := [line for line in difference if not line.startswith(("---", "+++", "@@"))]:
        raise GateClosed("\n".join([what, *lines]))
