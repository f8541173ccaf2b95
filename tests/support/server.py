"""The PostgreSQL that tests run on: TEST_DATABASE_URL's, or an embedded one in a temporary folder."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

from pgfolder.server import EmbeddedPostgres
from safestep.gate import execute
from safestep.migrations import commands as migrations
from sqlalchemy.engine import URL, make_url

# Nothing here outlives the run, so nothing has to reach the disk.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "max_prepared_transactions": "5",
}


class Server:
    """One server with a template database, made by the migrations once a run and cloned by every worker."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._embedded: EmbeddedPostgres | None = None
        self.template = f"postern_template_{uuid4().hex[:12]}"

    def start(self) -> URL:
        """The template's URL."""
        self.url = self._admin_url()
        asyncio.run(execute(self.url, f'CREATE DATABASE "{self.template}"'))
        template = self.url.set(database=self.template)
        migrations.upgrade(template)
        return template

    def stop(self) -> None:
        asyncio.run(execute(self.url, f'DROP DATABASE "{self.template}" WITH (FORCE)'))
        if self._embedded:
            self._embedded.stop()
        if self._folder:
            shutil.rmtree(self._folder)

    def _admin_url(self) -> URL:
        if given := os.environ.get("TEST_DATABASE_URL"):
            return make_url(given)
        self._folder = Path(tempfile.mkdtemp(prefix="postern-tests-"))
        self._embedded = EmbeddedPostgres(self._folder, options=FAST)
        self._embedded.start()
        return make_url(self._embedded.url("postgres"))


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
