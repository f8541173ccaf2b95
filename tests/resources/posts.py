"""Posts."""

from datetime import UTC, datetime, timedelta

import factory
from uuid_utils.compat import uuid7

from app.core.identity import Scope
from app.db.models import Base, Post
from tests.support.accounts import API
from tests.support.factories import UserFactory
from tests.support.resources import Case, Field, Resource, Route
from tests.support.world import World

POSTS = f"{API}/posts"
POST = f"{POSTS}/{{post_id}}"
DRAFT = f"{POSTS}/{{draft_id}}"


class PostFactory(factory.Factory):
    """A published post."""

    class Meta:
        model = Post

    id = factory.LazyFunction(uuid7)
    author = factory.SubFactory(UserFactory)
    title = factory.Sequence(lambda n: f"Post {n}")
    body = "Some *text*."
    slug = factory.Sequence(lambda n: f"2026/post-{n}")
    published_at = factory.Sequence(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))
    co_authorships = factory.LazyFunction(list)


def rows(world: World) -> list[Base]:
    post, draft = PostFactory(author=world.owner), PostFactory(author=world.owner, published_at=None)
    world.ids |= {"post_id": str(post.id), "draft_id": str(draft.id)}
    return [post, draft]


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
