"""Users as tests want them."""

from datetime import UTC, datetime
from typing import Any

import factory
from uuid_utils.compat import uuid7

from app.db.models.user import User


class UserFactory(factory.Factory[User]):
    """A valid user with a confirmed address, different from every other; `save` stores it."""

    class Meta:
        model = User

    id = factory.LazyFunction(uuid7)
    name = factory.Sequence(lambda n: f"Author {n}")
    email = factory.Sequence(lambda n: f"author{n}@example.com")
    is_active = True
    is_admin = False
    email_verified_at = datetime(2026, 1, 1, tzinfo=UTC)


def new_user(**values: Any) -> User:
    return UserFactory.build(**values)
