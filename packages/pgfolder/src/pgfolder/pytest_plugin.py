"""A PostgreSQL for a test run, shared by the workers of pytest-xdist.

`pytest_plugins = ["pgfolder.pytest_plugin"]` in the topmost conftest.py loads it. The server starts with the run, in a
temporary folder, and is gone afterwards. With TEST_DATABASE_URL the tests use that server instead; its role has to be
allowed to create databases.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pgfolder import EmbeddedPostgres

# Nothing here outlives the run, so nothing has to reach the disk.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "max_prepared_transactions": "5",
}

POSTGRES_URL = pytest.StashKey[str]()
"""The server's address, in the stash of pytest's configuration once that is complete."""

_RESOURCES = pytest.StashKey[ExitStack]()


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> str:
    """The address of the run's server, for SQLAlchemy: its database `postgres`, through asyncpg."""
    return pytestconfig.stash[POSTGRES_URL]


@pytest.hookimpl(tryfirst=True)  # a conftest.py may make a database on the server when it is configured
def pytest_configure(config: pytest.Config) -> None:
    """Starts the server; workers of pytest-xdist get its address from the process that starts them."""
    workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is not None:
        config.stash[POSTGRES_URL] = workerinput["postgres_url"]
    elif not (config.option.collectonly or config.option.help):
        config.stash[_RESOURCES] = resources = ExitStack()
        config.stash[POSTGRES_URL] = os.environ.get("TEST_DATABASE_URL") or _started(resources)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["postgres_url"] = node.config.stash[POSTGRES_URL]


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if resources := config.stash.get(_RESOURCES, None):
        resources.close()


def _started(resources: ExitStack) -> str:
    folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="pgfolder-tests-")))
    server = resources.enter_context(EmbeddedPostgres(folder, options=SETTINGS))
    return server.url("postgres")
