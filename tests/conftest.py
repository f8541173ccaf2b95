"""Fixtures. Most tests share one database per worker and roll back; those that prove commits clone one of their own."""

import os
import signal

# Before the first import of the application: nobody's own environment or .env decides what is tested.
for name in ("DATABASE_URL", "SECRET_KEYS", "LOG_LEVEL", "LOG_FORMAT", "DATA_DIR"):
    os.environ.pop(name, None)
os.environ["ENVIRONMENT"] = "test"
# A run in the background ignores Ctrl-C, and the processes that tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pgfolder.pytest_plugin import POSTGRES_URL
from pytest_factoryboy import register
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker

from app.api.deps import get_db, get_reader, get_transactions
from app.api.health import get_readiness
from app.db.base import Base
from app.db.commit import WriteSession
from app.db.revisions import is_behind
from app.db.session import Database, Reader, write_transaction
from app.main import create_app
from app.repos.server_state import ServerStateRepo
from app.services.readiness import Readiness
from tests.support.application import admit_admin, client_of, make_settings, running
from tests.support.callers import Save
from tests.support.database import store
from tests.support.server import Clone, Template
from tests.support.users import UserFactory

register(UserFactory)

DRIVERS = ("asyncpg", "psycopg")
TEMPLATE_URL = pytest.StashKey[str]()
TEMPLATE = pytest.StashKey[Template]()


def pytest_configure(config: pytest.Config) -> None:
    """The run's one template; workers of pytest-xdist get its address from the process that starts them."""
    workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is not None:
        config.stash[TEMPLATE_URL] = workerinput["template"]
    elif server := config.stash.get(POSTGRES_URL, None):
        config.stash[TEMPLATE] = template = Template(make_url(server))
        config.stash[TEMPLATE_URL] = template.url.render_as_string(hide_password=False)
        template.create()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["template"] = node.config.stash[TEMPLATE_URL]


def pytest_unconfigure(config: pytest.Config) -> None:
    if template := config.stash.get(TEMPLATE, None):
        template.drop()


@pytest.fixture(scope="session")
def template(pytestconfig: pytest.Config) -> URL:
    """The migrated, empty database that others are copied from; nobody connects to it."""
    return make_url(pytestconfig.stash[TEMPLATE_URL])


@pytest.fixture(scope="session")
async def shared_database(template: URL) -> AsyncIterator[Database]:
    """One database a worker, for tests that roll back."""
    driver = os.environ.get("TEST_DRIVER", DRIVERS[0])
    async with Clone(template, driver=driver) as url:
        database = Database(url, make_settings(url))
        yield database
        await database.close()


@pytest.fixture
async def connection(shared_database: Database) -> AsyncIterator[AsyncConnection]:
    """The test's one connection, in a transaction that is rolled back at its end."""
    async with shared_database.write_engine.connect() as connection:
        transaction = await connection.begin()
        yield connection
        await transaction.rollback()


@pytest.fixture
def session_maker(connection: AsyncConnection) -> async_sessionmaker[AsyncSession]:
    """Sessions whose commit ends a savepoint of the test's transaction."""
    return async_sessionmaker(
        connection,
        expire_on_commit=False,
        join_transaction_mode="create_savepoint",
        sync_session_class=WriteSession,
    )


@pytest.fixture
def save(session_maker: async_sessionmaker[AsyncSession]) -> Save:
    """Stores rows that a factory built."""

    async def save(*rows: Base) -> None:
        async with session_maker.begin() as session:
            await store(session, rows)

    return save


@pytest.fixture(scope="session")
def shared_app() -> FastAPI:
    return create_app(make_settings())


@pytest.fixture
def app(shared_app: FastAPI, connection: AsyncConnection, session_maker: async_sessionmaker[AsyncSession]) -> Any:
    """The application with every query on the test's connection."""

    async def test_db() -> AsyncIterator[AsyncSession]:
        async with write_transaction(session_maker) as session:
            yield session

    @asynccontextmanager
    async def connect() -> AsyncIterator[AsyncConnection]:
        yield connection

    admit_admin(shared_app)
    shared_app.dependency_overrides[get_db] = test_db
    shared_app.dependency_overrides[get_transactions] = lambda: lambda: write_transaction(session_maker)
    shared_app.dependency_overrides[get_reader] = lambda: Reader(connect)
    shared_app.dependency_overrides[get_readiness] = lambda: Readiness(ServerStateRepo(Reader(connect)), is_behind)
    yield shared_app
    shared_app.dependency_overrides.clear()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """An administrator who speaks to the application; whatever is written is rolled back."""
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def visitor(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody unknown, unless a request carries a credential."""
    async with client_of(app, headers={}) as client:
        yield client


@pytest.fixture
async def url(template: URL) -> AsyncIterator[URL]:
    """A database of this test's own: what is committed in it is committed."""
    async with Clone(template) as url:
        yield url


@pytest.fixture(params=DRIVERS)
async def live_url(request: pytest.FixtureRequest, template: URL) -> AsyncIterator[URL]:
    """The same, once through each driver."""
    async with Clone(template, driver=request.param) as url:
        yield url


@pytest.fixture
async def live_app(live_url: URL) -> AsyncIterator[FastAPI]:
    async with running(live_url) as app:
        yield app


@pytest.fixture
async def live_client(live_app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """An administrator; what is written stays."""
    async with client_of(live_app) as client:
        yield client
