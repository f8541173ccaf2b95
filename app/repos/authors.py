"""Queries of authors: the users whom a published post names, first or as a co-author. Anybody may know of them.

Their number bounds what a query reads, however many users there are who published nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Uuid, bindparam, exists, func, literal, select

from app.db.models.co_authorship import CoAuthorship
from app.db.models.post import Post
from app.db.models.user import User
from app.db.session import Reader
from app.schemas.pages import Position

_COLUMNS = (User.id, User.name, User.created_at)
_IS_PUBLISHED = Post.published_at.is_not(None)
_IS_CO_AUTHORED = (CoAuthorship.post_id == Post.id) & _IS_PUBLISHED
_ONE = select(*_COLUMNS).where(
    User.id == bindparam("id"),
    exists().where(Post.author_id == User.id, _IS_PUBLISHED)
    | exists().where(CoAuthorship.user_id == User.id, _IS_CO_AUTHORED),
)


def _author_before(user_id: ColumnElement[UUID]) -> ColumnElement[UUID | None]:
    """The author with the greatest id below this one; null after the last."""
    first = select(Post.author_id).where(_IS_PUBLISHED, Post.author_id < user_id).order_by(Post.author_id.desc())
    second = (
        select(CoAuthorship.user_id)
        .where(_IS_CO_AUTHORED, CoAuthorship.user_id < user_id)
        .order_by(CoAuthorship.user_id.desc())
    )
    return func.greatest(first.limit(1).scalar_subquery(), second.limit(1).scalar_subquery(), type_=Uuid())


def _ids() -> CTE:
    """As many authors' ids as `limit` says, below `id`, one after the other.

    This steps through the indexes from author to author (a loose index scan); DISTINCT would read every post.
    """
    start = bindparam("id", type_=User.id.type)
    steps = select(_author_before(start).label("id"), literal(1).label("number")).cte("authors", recursive=True)
    more = select(_author_before(steps.c.id), steps.c.number + 1).where(
        steps.c.id.is_not(None), steps.c.number < bindparam("limit")
    )
    return steps.union_all(more)


_IDS = _ids()
_PAGE = select(*_COLUMNS).join(_IDS, User.id == _IDS.c.id).order_by(User.id.desc())


class AuthorRow(Protocol):
    id: UUID
    name: str | None
    created_at: datetime


class AuthorReadRepo:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def get(self, user_id: UUID) -> AuthorRow | None:
        return await self._reader.first(_ONE, {"id": user_id})

    async def page(self, *, after: Position, limit: int) -> Sequence[AuthorRow]:
        """Newest first, by id: it begins with the time at which it was made."""
        return await self._reader.all(_PAGE, {"id": after.id, "limit": limit})
