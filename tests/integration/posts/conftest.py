"""Fixtures of the tests of posts."""

import pytest

from app.db.models import User
from tests.support.callers import Save
from tests.support.factories import UserFactory


@pytest.fixture
async def author(save: Save) -> User:
    """Somebody who is stored."""
    user: User = UserFactory(name="Ada Lovelace")
    await save(user)
    return user
