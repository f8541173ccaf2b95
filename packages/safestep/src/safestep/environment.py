"""What alembic/env.py does, for the `alembic` command and for safestep's own alike."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.engine import URL

from safestep.connections import engine, one_line_errors
from safestep.migrations import runner
from safestep.migrations.commands import ENVIRONMENT_RAN
from safestep.project import Project


def run(project: Project) -> None:
    """Does what the Alembic command under way asks for. It is all that alembic/env.py has to call.

    A command of safestep brings its own Project, database and options, which then count instead.
    """
    attributes = context.config.attributes
    attributes[ENVIRONMENT_RAN] = True
    project = attributes.get("project", project)
    options = attributes.get("options") or runner.options_of_alembic()
    environment = {
        "target_metadata": project.metadata(),
        "compare_type": True,
        "compare_server_default": True,
        "transaction_per_migration": True,
    }
    if context.is_offline_mode():
        # The service's driver doesn't matter, but as psycopg wants it, each % would be written twice.
        runner.write_sql(project, options, {"url": "postgresql+asyncpg://"} | environment)
        return
    given: URL | None = attributes.get("url")
    with nullcontext(given) if given is not None else project.database() as url, one_line_errors(url):
        if runner.runs_revisions():
            asyncio.run(runner.migrate(project, url, options, environment))
        else:
            asyncio.run(_inspect(project, url, environment))


async def _inspect(project: Project, url: URL, environment: Mapping[str, Any]) -> None:
    """For the commands that run no revision: `current`, `check`, `revision`, `stamp`."""

    def run_migrations(connection: Connection) -> None:
        context.configure(connection=connection, **environment)
        with context.begin_transaction():
            context.run_migrations()

    async with engine(url, project.connect_args(url, {})) as opened, opened.connect() as connection:
        await connection.run_sync(run_migrations)
