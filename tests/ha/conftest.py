"""What stands beside the service in production: real programs of the distribution, on loopback."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.engine import URL

from tests.support.server import Clone


@pytest.fixture
async def url(template: URL) -> AsyncIterator[URL]:
    async with Clone(template) as url:
        yield url


@pytest.fixture
async def empty_database(template: URL) -> AsyncIterator[URL]:
    """One that was never migrated."""
    async with Clone(template.set(database="template1")) as url:
        yield url
