"""The first look at a configured database: whether it takes us, and whether it is at the revision this code needs."""

import asyncio

import asyncpg
import structlog
from alembic.util import CommandError
from safestep.connections import CONNECT_TIMEOUT, DatabaseFailure, first_line
from safestep.migrations import commands
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from app.core.config import Settings
from app.core.errors import DomainError
from app.db.errors import sqlstate
from app.db.migrations import project
from app.db.session import Database
from app.repos.server_state import ServerStateRepo

# What waiting doesn't mend: a wrong role, password or pg_hba.conf; a database that isn't there.
REFUSED = ("28", "3D000")

log = structlog.get_logger()


def require_revision(url: URL) -> None:
    """CommandError when the database refuses us or is behind; a server that isn't there yet is waited for."""
    try:
        missing = commands.missing_migration(project, url)
    except (DatabaseFailure, DBAPIError) as error:
        if refusal := _refusal(url, error):
            raise CommandError(f"{url.render_as_string(hide_password=True)} can't be used: {refusal}") from error
        log.warning("revision_unknown", error_type=type(error).__qualname__)
        return
    if missing:
        raise CommandError(missing)


def warn_of_too_few_connections(url: URL, settings: Settings, *, workers: int) -> None:
    """Says so when the pools of all workers could ask for more connections than the server has."""
    asked = workers * Database.most_connections(settings)
    try:
        there = asyncio.run(_connections(url, settings))
    except DomainError:
        return  # `revision_unknown` has said that it isn't there yet
    if asked > there:
        log.warning(
            "too_few_connections",
            hint=f"{workers} workers may ask for {asked} connections, and the server has {there} for ordinary roles: "
            "lower DB_POOL_SIZE, DB_MAX_OVERFLOW or --workers, or raise max_connections",
        )


async def _connections(url: URL, settings: Settings) -> int:
    database = Database(url, settings)
    try:
        return await ServerStateRepo(database.probe).connections()
    finally:
        await database.close()


def _refusal(url: URL, error: DatabaseFailure | DBAPIError) -> str | None:
    """What the server said when it refused the connection; None when it wasn't reached."""
    cause = error.__cause__ if isinstance(error, DatabaseFailure) else error
    if not isinstance(cause, DBAPIError):
        return None
    state = sqlstate(cause)
    if state is None and url.get_driver_name() == "psycopg":
        return asyncio.run(_refusal_of_psycopg(url))
    return first_line(cause) if (state or "").startswith(REFUSED) else None


async def _refusal_of_psycopg(url: URL) -> str | None:
    """Psycopg tells neither the SQLSTATE of a refusal nor a refusal from an absence; asyncpg, asked once more, does."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        connection = await asyncpg.connect(address, timeout=CONNECT_TIMEOUT)
    except asyncpg.PostgresError as error:
        return first_line(error) if (error.sqlstate or "").startswith(REFUSED) else None
    except (OSError, asyncpg.InterfaceError):
        return None
    await connection.close()
    return None
