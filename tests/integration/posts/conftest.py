"""Fixtures of the tests of posts."""

import pytest
from pytest_factoryboy import register

from app.db.models.user import User
from tests.resources.posts import PostFactory
from tests.support.callers import Save
from tests.support.users import UserFactory

register(PostFactory)


@pytest.fixture
async def author(save: Save, user_factory: type[UserFactory]) -> User:
    """Somebody who is stored."""
    user = user_factory.build(name="Ada Lovelace")
    await save(user)
    return user
