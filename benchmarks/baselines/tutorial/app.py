"""The design that tutorials teach: a session a request that pings first, ORM entities, `selectinload`, commit."""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import DateTime, ForeignKey, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

DATABASE_URL = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
engine = create_async_engine(DATABASE_URL, pool_pre_ping=True, pool_size=10, max_overflow=10)
session_maker = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 - SQLAlchemy reads a plain dict here


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str | None]


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    slug: Mapped[str | None]
    body: Mapped[str]
    published_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    author: Mapped[User] = relationship()


class UserRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    name: str | None


class PostSummary(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    title: str
    slug: str | None
    author: UserRead
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


class PostRead(PostSummary):
    body: str


class Page(BaseModel):
    items: list[PostSummary]


class PostCreate(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    body: str = Field(max_length=1_000_000)
    author_id: UUID


async def get_db() -> AsyncIterator[AsyncSession]:
    async with session_maker() as session:
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise


Session = Annotated[AsyncSession, Depends(get_db)]
app = FastAPI()


@app.get("/users/{user_id}")
async def read_user(user_id: UUID, session: Session) -> UserRead:
    user = await session.get(User, user_id)
    if user is None:
        raise HTTPException(404)
    return UserRead.model_validate(user)


@app.get("/posts")
async def list_posts(session: Session, limit: int = 20) -> Page:
    statement = (
        select(Post)
        .where(Post.published_at.is_not(None))
        .options(selectinload(Post.author))
        .order_by(Post.published_at.desc(), Post.id.desc())
        .limit(limit)
    )
    return Page(items=[PostSummary.model_validate(post) for post in await session.scalars(statement)])


@app.get("/posts/{post_id}")
async def read_post(post_id: UUID, session: Session) -> PostRead:
    statement = select(Post).where(Post.id == post_id).options(selectinload(Post.author))
    post = await session.scalar(statement)
    if post is None:
        raise HTTPException(404)
    return PostRead.model_validate(post)


@app.post("/posts", status_code=201)
async def create_post(new: PostCreate, session: Session) -> PostRead:
    post = Post(**new.model_dump())
    session.add(post)
    await session.commit()
    await session.refresh(post, ["created_at", "updated_at", "author"])
    return PostRead.model_validate(post)
