"""Users as tests want them: valid, and different from each other. They are built here and stored by `save`."""

from datetime import UTC, datetime

import factory
from uuid_utils.compat import uuid7

from app.db.models import User


class UserFactory(factory.Factory):
    class Meta:
        model = User

    id = factory.LazyFunction(uuid7)
    name = factory.Sequence(lambda n: f"Author {n}")
    email = factory.Sequence(lambda n: f"author{n}@example.com")
    is_active = True
    is_admin = False
    email_verified_at = datetime(2026, 1, 1, tzinfo=UTC)
