"""Runs migrations over an asynchronous engine, for the `alembic` command and for `postern db` alike."""

import asyncio
from typing import Any

from alembic import context
from alembic.util import CommandError
from safestep.migrations import runner as migration_runner  # imports every model, so that the metadata is complete
from safestep.migrations.runner import RunOptions
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import Settings, load_settings
from app.core.errors import InvalidSettings
from app.db import models  # noqa: F401 - imports every model, so that the metadata is complete
from app.db.base import Base
from app.db.provision import database_url
from app.db.session import connect_args

ENVIRONMENT: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "compare_type": True,
    "compare_server_default": True,
    "transaction_per_migration": True,
}


def look(connection: Connection) -> None:
    context.configure(connection=connection, **ENVIRONMENT)
    with context.begin_transaction():
        context.run_migrations()


async def look_at(url: URL, settings: Settings) -> None:
    """For the commands that run no revision: `current`, `check`, `revision`, `stamp`."""
    engine = create_async_engine(url, poolclass=NullPool, connect_args=connect_args(url, settings))
    try:
        async with engine.connect() as connection:
            await connection.run_sync(look)
    finally:
        await engine.dispose()


def run(url: URL, settings: Settings, options: RunOptions) -> None:
    with migration_runner.one_line_errors(url):
        if migration_runner.migrates():
            asyncio.run(migration_runner.migrate(url, settings, options, ENVIRONMENT))
        else:
            asyncio.run(look_at(url, settings))


def main() -> None:
    given: URL | None = context.config.attributes.get("url")
    options: RunOptions = context.config.attributes.get("options") or migration_runner.options_of_alembic()
    settings = options.settings or load_settings()
    if context.is_offline_mode():
        # Whatever the service connects with: as psycopg wants it, each % would be written twice.
        migration_runner.write_sql(options, settings, {"url": "postgresql+asyncpg://"} | ENVIRONMENT)
    elif given is not None:
        run(given, settings, options)
    else:
        with database_url(settings) as url:
            run(url, settings, options)


try:
    main()
except InvalidSettings as error:
    raise CommandError(str(error)) from error
