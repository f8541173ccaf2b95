"""Where the database is: the one of DATABASE_URL, or in development an embedded server of this checkout."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

from anyio import to_thread
from sqlalchemy.engine import URL, make_url

from app.core.config import Settings
from app.db import migrations
from app.db.embedded import EmbeddedPostgres
from app.db.migration_runner import RunOptions

DATABASE = "postern"


@contextmanager
def database_url(settings: Settings) -> Iterator[URL]:
    """The URL of a database that is there while the block runs. Blocks while an embedded server starts.

    Raises EmbeddedPostgresError when that server can't run.
    """
    if settings.database_url is not None:
        yield make_url(settings.database_url.get_secret_value())
        return
    with EmbeddedPostgres(settings.data_dir / "postgres") as server:
        server.ensure_database(DATABASE)
        yield make_url(server.url(DATABASE))


@contextmanager
def ready_database_url(settings: Settings) -> Iterator[URL]:
    """Like `database_url`; an embedded database is migrated too, for nobody else would do it."""
    with database_url(settings) as url:
        if settings.database_url is None:
            migrations.upgrade(url, options=RunOptions(settings=settings))
        yield url


@asynccontextmanager
async def provisioned_url(settings: Settings) -> AsyncIterator[URL]:
    """`ready_database_url` for the event loop: what blocks runs in a thread."""
    stack = ExitStack()
    try:
        yield await to_thread.run_sync(stack.enter_context, ready_database_url(settings))
    finally:
        await to_thread.run_sync(stack.close)
