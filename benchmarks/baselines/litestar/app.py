"""Litestar with Advanced Alchemy: a session for each request, its services, its commit before the response."""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID, uuid4

from advanced_alchemy.config import EngineConfig
from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyInitPlugin,
    base,
    repository,
    service,
)
from litestar import Litestar, get, post
from litestar.di import Provide
from msgspec import Struct
from sqlalchemy import DateTime, ForeignKey, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship


class User(base.DefaultBase):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str | None]


class Post(base.DefaultBase):
    __tablename__ = "posts"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    slug: Mapped[str | None]
    body: Mapped[str]
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    author: Mapped[User] = relationship(lazy="selectin")


class UserRead(Struct):
    id: UUID
    name: str | None


class PostSummary(Struct):
    id: UUID
    title: str
    slug: str | None
    author: UserRead
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


class PostRead(PostSummary):
    body: str


class Page(Struct):
    items: list[PostSummary]


class PostCreate(Struct):
    title: str
    body: str
    author_id: UUID


class UserService(service.SQLAlchemyAsyncRepositoryService[User]):
    class Repository(repository.SQLAlchemyAsyncRepository[User]):
        model_type = User

    repository_type = Repository


class PostService(service.SQLAlchemyAsyncRepositoryService[Post]):
    class Repository(repository.SQLAlchemyAsyncRepository[Post]):
        model_type = Post

    repository_type = Repository


async def provide_users(db_session: AsyncSession) -> AsyncIterator[UserService]:
    async with UserService.new(session=db_session) as users:
        yield users


async def provide_posts(db_session: AsyncSession) -> AsyncIterator[PostService]:
    async with PostService.new(session=db_session) as posts:
        yield posts


def author(post: Post) -> UserRead:
    return UserRead(post.author.id, post.author.name)


def summary(post: Post) -> PostSummary:
    return PostSummary(
        post.id, post.title, post.slug, author(post), post.published_at, post.created_at, post.updated_at
    )


def whole(post: Post) -> PostRead:
    return PostRead(
        post.id, post.title, post.slug, author(post), post.published_at, post.created_at, post.updated_at, post.body
    )


@get("/users/{user_id:uuid}")
async def read_user(user_id: UUID, users: UserService) -> UserRead:
    user = await users.get(user_id)
    return UserRead(user.id, user.name)


@get("/posts")
async def list_posts(posts: PostService, limit: int = 20) -> Page:
    statement = (
        posts.repository.statement.where(Post.published_at.is_not(None))
        .order_by(Post.published_at.desc(), Post.id.desc())
        .limit(limit)
    )
    return Page([summary(post) for post in await posts.list(statement=statement)])


@get("/posts/{post_id:uuid}")
async def read_post(post_id: UUID, posts: PostService) -> PostRead:
    return whole(await posts.get(post_id))


@post("/posts")
async def create_post(data: PostCreate, posts: PostService) -> PostRead:
    values = {"title": data.title, "body": data.body, "author_id": data.author_id}
    return whole(await posts.create(values, auto_refresh=True))


app = Litestar(
    [read_user, list_posts, read_post, create_post],
    dependencies={"users": Provide(provide_users), "posts": Provide(provide_posts)},
    plugins=[
        SQLAlchemyInitPlugin(
            SQLAlchemyAsyncConfig(
                connection_string=os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
                engine_config=EngineConfig(pool_size=10, max_overflow=10),
                session_config=AsyncSessionConfig(expire_on_commit=False),
                before_send_handler="autocommit",
            )
        )
    ],
    openapi_config=None,
)
