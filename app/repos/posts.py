"""Queries of posts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import (
    JSON,
    BindParameter,
    CursorResult,
    Executable,
    Select,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from app.core.errors import AuthorUnknown, SlugTaken
from app.db.commit import TRANSACTION_ID, note_transaction
from app.db.errors import conflicts
from app.db.models.co_authorship import CoAuthorship
from app.db.models.post import Post
from app.db.models.user import User
from app.db.session import Reader
from app.db.shared_reads import KeyedQuery
from app.schemas.pages import Position

CONFLICTS = {
    "uq_posts_published_slug": SlugTaken,
    "uq_posts_slug_author_id": SlugTaken,
    "uq_posts_slug": SlugTaken,  # among all posts; on databases that wait for their contract revision
    "fk_posts_author_id_users": AuthorUnknown,
}

_CO_AUTHOR = aliased(User)


def _summary(post: Any) -> Select[Any]:
    """Everything of a post but its body; `post` has its columns: the model, or a statement that writes one."""
    # One JSON value a row: co-authors are rare, and a join would repeat the post for each of them.
    co_author = func.json_build_object("id", _CO_AUTHOR.id, "name", _CO_AUTHOR.name)
    co_authors = (
        select(
            func.coalesce(
                func.json_agg(aggregate_order_by(co_author, CoAuthorship.position)),
                func.json_build_array(),
                type_=JSON,
            )
        )
        .join_from(CoAuthorship, _CO_AUTHOR, CoAuthorship.user_id == _CO_AUTHOR.id)
        .where(CoAuthorship.post_id == post.id)
        .correlate_except(CoAuthorship, _CO_AUTHOR)
        .scalar_subquery()
    )
    return select(
        post.id,
        post.title,
        post.slug,
        post.author_id,
        func.json_build_object("id", User.id, "name", User.name, type_=JSON).label("author"),
        co_authors.label("co_authors"),
        post.published_at,
        post.created_at,
        post.updated_at,
    ).join(User, post.author_id == User.id)


_SUMMARY = _summary(Post)
_WHOLE = _SUMMARY.add_columns(Post.body)
_ONE = KeyedQuery(_WHOLE, Post.id, largest_batch=20)


def _page(*, drafts: bool, of_author: bool) -> Select[Any]:
    at = Post.created_at if drafts else Post.published_at
    after = tuple_(bindparam("at", type_=at.type), bindparam("id", type_=Post.id.type))
    statement = (
        _SUMMARY.where(Post.published_at.is_(None) if drafts else Post.published_at.is_not(None))
        .where(tuple_(at, Post.id) < after)
        .order_by(at.desc(), Post.id.desc())
        .limit(bindparam("limit"))
    )
    return statement.where(Post.author_id == bindparam("author_id")) if of_author else statement


_PAGES = {
    (drafts, of_author): _page(drafts=drafts, of_author=of_author)
    for drafts in (False, True)
    for of_author in (False, True)
}

_TABLE: Any = Post.__table__
_OF_ID = _TABLE.c.id == bindparam("post_id", type_=Post.id.type)


def _parameters(names: Iterable[str]) -> dict[str, BindParameter[Any]]:
    return {name: bindparam(name, type_=_TABLE.c[name].type) for name in names}


def _written(statement: ReturningInsert[Any] | ReturningUpdate[Any]) -> Select[Any]:
    """Writes a post and reads it as it is then, in one statement."""
    written = statement.cte("written")
    return _summary(written.c).add_columns(written.c.body, TRANSACTION_ID)


_LOCK = select(Post.author_id, Post.published_at).where(_OF_ID).with_for_update()
_CURRENT = _WHOLE.where(_OF_ID)
_DELETE = delete(_TABLE).where(_OF_ID)


@cache
def _create(*names: str) -> Select[Any]:
    return _written(insert(_TABLE).values(_parameters(names)).returning(*_TABLE.columns))


@cache
def _update(*names: str) -> Select[Any]:
    """Writes these columns, unless they have the values already: then it has no row."""
    values = _parameters(names)
    is_new = or_(*(_TABLE.c[name].is_distinct_from(value) for name, value in values.items()))
    return _written(update(_TABLE).where(_OF_ID, is_new).values(values).returning(*_TABLE.columns))


class PostRow(Protocol):
    """The columns that decide who may see a post and where it stands; the others go to the response as they are."""

    id: UUID
    author_id: UUID
    published_at: datetime | None
    created_at: datetime


class PostState(Protocol):
    """What decides who may change a post, and how."""

    author_id: UUID
    published_at: datetime | None


class PostReadRepo:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def get(self, post_id: UUID) -> PostRow | None:
        return await self._reader.by_key(_ONE, post_id)

    async def page(self, *, after: Position, limit: int, drafts: bool, author_id: UUID | None) -> Sequence[PostRow]:
        """Posts older than `after`, newest first: by publication, or drafts by creation."""
        parameters: dict[str, Any] = {"at": after.at, "id": after.id, "limit": limit}
        if author_id:
            parameters["author_id"] = author_id
        return await self._reader.all_shared(_PAGES[drafts, author_id is not None], parameters)


class PostRepo:
    """Posts are written by single statements that answer with the post: they are what writers wait for most."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get_for_update(self, post_id: UUID) -> PostState | None:
        """The post's state, which stays until the transaction ends: other writers wait."""
        return (await self._execute(_LOCK, post_id=post_id)).one_or_none()

    async def create(self, **values: Any) -> PostRow:
        """A new post; raises SlugTaken or AuthorUnknown, and KeyError for a column that isn't there."""
        return self._noted((await self._execute(_create(*values), **values)).one())

    async def update(self, post_id: UUID, values: Mapping[str, Any]) -> PostRow:
        """Writes these columns, and returns the post; raises SlugTaken, and KeyError for a column that isn't there."""
        written = None
        if values:
            written = (await self._execute(_update(*values), post_id=post_id, **values)).one_or_none()
        return self._noted(written) if written else (await self._execute(_CURRENT, post_id=post_id)).one()

    async def delete(self, post_id: UUID) -> None:
        await self._execute(_DELETE, post_id=post_id)

    def _noted(self, written: Any) -> PostRow:
        note_transaction(self._session, written.transaction_id)
        row: PostRow = written
        return row

    async def _execute(self, statement: Executable, **parameters: Any) -> CursorResult[Any]:
        connection = await self._session.connection()
        with conflicts(CONFLICTS):
            return await connection.execute(statement, parameters)
