"""Where the database is: the one of DATABASE_URL, or in development an embedded server of this checkout."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from time import perf_counter

import structlog
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from anyio import to_thread
from pgfolder import EmbeddedPostgres
from safestep.migrations import commands
from safestep.migrations.runner import RunOptions
from sqlalchemy.engine import URL, make_url

from app.core.config import Settings
from app.db.migrations import make_project

DATABASE = "postern"

log = structlog.get_logger()


@contextmanager
def database_url(settings: Settings) -> Iterator[URL]:
    """The URL of a database that is there while the block runs. Blocks while an embedded server starts.

    Raises EmbeddedPostgresError when that server can't run.
    """
    if settings.database_url is not None:
        yield make_url(settings.database_url.get_secret_value())
        return
    began = perf_counter()
    with EmbeddedPostgres(settings.data_dir / "postgres") as server:
        server.ensure_database(DATABASE)
        log.debug("embedded_postgres", pid=server.pid, duration_ms=round((perf_counter() - began) * 1000, 2))
        yield make_url(server.url(DATABASE))


@contextmanager
def ready_database_url(settings: Settings) -> Iterator[URL]:
    """Like `database_url`; an embedded database is migrated too, for nobody else would do it."""
    with database_url(settings) as url:
        if settings.database_url is None:
            with _known_revision(settings):
                commands.upgrade(make_project(lambda: settings), url, options=RunOptions(announce=_announce))
        yield url


def _announce(line: str) -> None:
    log.debug("migration", said=line)


@contextmanager
def _known_revision(settings: Settings) -> Iterator[None]:
    """Says what to do when the embedded database is ahead of this checkout: it was migrated on another branch."""
    try:
        yield
    except CommandError as error:
        if not isinstance(error.__cause__, ResolutionError):
            raise
        folder = settings.data_dir / "postgres"
        raise CommandError(
            f"the database in {folder} is at revision {error.__cause__.argument}, which this checkout doesn't have: "
            f"go back to the branch that has it, or delete {folder}"
        ) from error


@asynccontextmanager
async def provisioned_url(settings: Settings) -> AsyncIterator[URL]:
    """`ready_database_url` for the event loop: what blocks runs in a thread."""
    stack = ExitStack()
    try:
        yield await to_thread.run_sync(stack.enter_context, ready_database_url(settings))
    finally:
        await to_thread.run_sync(stack.close)
