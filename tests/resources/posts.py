"""Posts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import factory
from uuid_utils.compat import uuid7

from app.core.identity import Scope
from app.db.base import Base
from app.db.models.post import Post
from app.db.models.user import User
from tests.support.accounts import API
from tests.support.resources import Case, Field, Many, Resource, Route
from tests.support.users import UserFactory
from tests.support.world import World

POSTS = f"{API}/posts"
POST = f"{POSTS}/{{post_id}}"
DRAFT = f"{POSTS}/{{draft_id}}"
MANY_AUTHORS = """
INSERT INTO users (id, name) SELECT lpad(to_hex(n), 32, '0')::uuid, 'Author ' || n FROM generate_series(1, 20) n
"""
MANY_POSTS = """
INSERT INTO posts (id, author_id, title, body, created_at, published_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(1 + n % 40 / 2), 32, '0')::uuid, 'Post ' || n, '', moment,
    CASE WHEN n % 2 = 0 THEN moment END
FROM generate_series(1, 8000) n, LATERAL (SELECT timestamptz '2020-01-01' + n / 7 * interval '1 minute' AS moment) m
"""
LISTS = tuple(
    {"status": status, **of_author}
    for status in ("published", "draft")
    for of_author in ({}, {"author_id": str(UUID(int=1))})
)


class PostFactory(factory.Factory[Post]):
    """A published post, newer than any before; `save` stores it, and its author."""

    class Meta:
        model = Post

    id = factory.LazyFunction(uuid7)
    author = factory.SubFactory(UserFactory)
    title = factory.Sequence(lambda n: f"Post {n}")
    body = "Some *text*."
    slug = factory.Sequence(lambda n: f"2026/post-{n}")
    published_at = factory.Sequence(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))
    co_authorships = factory.LazyFunction(list)


def new_post(**values: Any) -> Post:
    return PostFactory.build(**values)


def draft(**values: Any) -> Post:
    """One that isn't published."""
    return new_post(published_at=None, **values)


def written_by(author: User, **values: Any) -> dict[str, Any]:
    """The body of a request that creates one."""
    return {"author_id": str(author.id), "title": "Notes", "body": "Some *text*.", **values}


def rows(world: World) -> list[Base]:
    post, hidden = new_post(author=world.owner), draft(author=world.owner)
    world.ids |= {"post_id": str(post.id), "draft_id": str(hidden.id)}
    return [post, hidden]


def for_another(world: World) -> str:
    return str(world.other.id)


def of_the_owner(world: World) -> dict[str, str]:
    return {"author_id": str(world.owner.id)}


CHANGED = {"title": Field("Canary"), "body": Field("canary " * 100), "slug": Field("canary/1")}

RESOURCE = Resource(
    rows=rows,
    tables={"posts": frozenset({"body"}), "co_authorships": frozenset()},
    goes_with_owner=("post.deleted", "post.deleted"),
    routes=(
        Route(
            "POST",
            POSTS,
            answers={201: "other owner admin key+ a-key a-key+", 403: "key", 401: "anon gone"},
            scope=Scope.POSTS_WRITE,
            needs_confirmed_address=True,
            good=lambda _: {"title": "Notes", "body": "…"},
            takes={
                **CHANGED,
                "author_id": Field(for_another, by="admin"),
                "draft": Field(value=True, becomes={"published_at": None}),
            },
            records=("post.created",),
            cases=(
                Case(
                    "for the owner",
                    {201: "owner admin key+ a-key+", 403: "other key a-key", 401: "anon gone"},
                    lambda world: {"json": {"title": "Notes", "body": "…", **of_the_owner(world)}},
                ),
            ),
        ),
        Route(
            "GET",
            POSTS,
            answers={200: "anon other owner admin key+ a-key a-key+", 403: "key", 401: "gone"},
            scope=Scope.POSTS_READ,
            query=frozenset({"limit", "cursor", "status", "author_id"}),
            many=Many("posts", (MANY_AUTHORS, MANY_POSTS), LISTS),
            cases=(
                Case(
                    "drafts",
                    {200: "other owner admin key+ a-key a-key+", 403: "key", 401: "anon gone"},
                    lambda _: {"params": {"status": "draft"}},
                ),
                Case(
                    "the owner's drafts",
                    {200: "owner admin key+ a-key+", 403: "other key a-key", 401: "anon gone"},
                    lambda world: {"params": {"status": "draft", **of_the_owner(world)}},
                ),
            ),
        ),
        Route(
            "GET",
            POST,
            answers={200: "anon other owner admin key+ a-key a-key+", 403: "key", 401: "gone"},
            scope=Scope.POSTS_READ,
            cases=(
                Case(
                    "a draft",
                    {200: "owner admin key+ a-key+", 404: "anon other a-key", 403: "key", 401: "gone"},
                    at=DRAFT,
                ),
            ),
        ),
        Route(
            "PATCH",
            POST,
            answers={200: "owner admin key+ a-key+", 403: "other key a-key", 401: "anon gone"},
            scope=Scope.POSTS_WRITE,
            needs_confirmed_address=True,
            good=lambda _: {"title": "Better notes"},
            takes={**CHANGED, "draft": Field(value=True, becomes={"published_at": None})},
            touches=frozenset({"published_at"}),
            records=("post.updated",),
            cases=(
                Case(
                    "a draft",
                    {200: "owner admin key+ a-key+", 404: "other a-key", 403: "key", 401: "anon gone"},
                    at=DRAFT,
                ),
            ),
        ),
        Route(
            "DELETE",
            POST,
            answers={204: "owner admin key+ a-key+", 403: "other key a-key", 401: "anon gone"},
            scope=Scope.POSTS_WRITE,
            needs_confirmed_address=True,
            records=("post.deleted",),
            cases=(
                Case(
                    "a draft",
                    {204: "owner admin key+ a-key+", 404: "other a-key", 403: "key", 401: "anon gone"},
                    at=DRAFT,
                ),
            ),
        ),
    ),
)
