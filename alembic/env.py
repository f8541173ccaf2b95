"""Runs migrations over an asynchronous engine, for the `alembic` command and for `postern db` alike."""

import asyncio
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.config import load_settings
from app.core.errors import DomainError, InvalidSettings
from app.db import models  # imports every model, so that the metadata is complete
from app.db.embedded import EmbeddedPostgresError
from app.db.errors import translated_errors
from app.db.provision import database_url
from app.db.session import connect_args

OPTIONS: dict[str, Any] = {
    "target_metadata": models.Base.metadata,
    "compare_type": True,
    "compare_server_default": True,
    "transaction_per_migration": True,
}


def run(connection: Connection) -> None:
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


async def run_online(url: URL) -> None:
    engine = create_async_engine(url, poolclass=NullPool, connect_args=connect_args(url, load_settings()))
    try:
        with translated_errors():
            async with engine.connect() as connection:
                await connection.run_sync(run)
    except DomainError as error:
        where = url.render_as_string(hide_password=True)
        reason = str(getattr(error.__cause__, "orig", error.__cause__)).partition("\n")[0]
        raise CommandError(f"{error.detail} ({where}: {reason})") from error
    finally:
        await engine.dispose()


def main() -> None:
    given: URL | None = context.config.attributes.get("url")
    if context.is_offline_mode():
        context.configure(url=given or "postgresql+asyncpg://", literal_binds=True, **OPTIONS)
        with context.begin_transaction():
            context.run_migrations()
    elif given is not None:
        asyncio.run(run_online(given))
    else:
        try:
            with database_url(load_settings()) as url:
                asyncio.run(run_online(url))
        except (InvalidSettings, EmbeddedPostgresError) as error:
            raise CommandError(str(error)) from error


main()
