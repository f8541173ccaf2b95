"""Fixtures of the tests of posts."""

import pytest

from app.db.models.user import User
from tests.support.callers import Save
from tests.support.users import new_user


@pytest.fixture
async def author(save: Save) -> User:
    """Somebody who is stored."""
    user = new_user(name="Ada Lovelace")
    await save(user)
    return user
