"""Rows as tests want them: valid, and different from each other. They are built here and stored by `save`."""

from datetime import UTC, datetime, timedelta

import factory

from app.db.models.post import Post
from app.db.models.user import User


class UserFactory(factory.Factory):
    class Meta:
        model = User

    name = factory.Sequence(lambda n: f"Author {n}")
    email = factory.Sequence(lambda n: f"author{n}@example.com")
    is_active = True
    is_admin = False
    email_verified_at = datetime(2026, 1, 1, tzinfo=UTC)


class PostFactory(factory.Factory):
    class Meta:
        model = Post

    author = factory.SubFactory(UserFactory)
    title = factory.Sequence(lambda n: f"Post {n}")
    body = "Some *text*."
    slug = factory.Sequence(lambda n: f"2026/post-{n}")
    published_at = factory.Sequence(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))
    co_authorships = factory.LazyFunction(list)
