"""Databases on the run's server: a template that the migrations made, and copies of it."""

import asyncio
from uuid import uuid4

from safestep.connections import execute
from safestep.migrations import commands
from sqlalchemy.engine import URL

from app.db.migrations import project


class Template:
    """The migrated, empty database that others are copied from: made once a run, cloned by every worker."""

    def __init__(self, server: URL) -> None:
        self._server = server
        self.url = server.set(database=f"template_{uuid4().hex[:12]}")

    def create(self) -> None:
        asyncio.run(execute(self._server, f'CREATE DATABASE "{self.url.database}"'))
        commands.upgrade(project, self.url)

    def drop(self) -> None:
        asyncio.run(execute(self._server, f'DROP DATABASE "{self.url.database}" WITH (FORCE)'))


class Clone:
    """A database of its own, copied from the template for the length of an `async with` block."""

    def __init__(self, template: URL, *, driver: str = "asyncpg") -> None:
        self._admin = template.set(database="postgres")
        self._template = template.database
        self._name = f"postern_test_{uuid4().hex[:12]}"
        self.url = template.set(database=self._name, drivername=f"postgresql+{driver}")

    async def __aenter__(self) -> URL:
        await execute(self._admin, f'CREATE DATABASE "{self._name}" TEMPLATE "{self._template}"')
        return self.url

    async def __aexit__(self, *_: object) -> None:
        await execute(self._admin, f'DROP DATABASE "{self._name}" WITH (FORCE)')
