"""Queries of authors: the users whom published posts name, and of whom anybody may know.

What a query reads doesn't depend on how many users there are who published nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, ScalarSelect, bindparam, exists, literal, select

from app.db.models.co_authorship import CoAuthorship
from app.db.models.post import Post
from app.db.models.user import User
from app.db.session import Reader
from app.db.shared_reads import KeyedQuery
from app.schemas.pages import Position

_COLUMNS = (User.id, User.name, User.created_at)
_IS_PUBLISHED = Post.published_at.is_not(None)
_ONE = KeyedQuery(
    select(*_COLUMNS).where(
        exists().where(Post.author_id == User.id, _IS_PUBLISHED)
        | exists().where(CoAuthorship.user_id == User.id, CoAuthorship.post_id == Post.id, _IS_PUBLISHED),
    ),
    User.id,
)


def _author_before(user_id: ColumnElement[UUID]) -> ScalarSelect[UUID]:
    """Of those with a published post the one with the greatest id below this one; null after the last."""
    statement = select(Post.author_id).where(_IS_PUBLISHED, Post.author_id < user_id)
    return statement.order_by(Post.author_id.desc()).limit(1).scalar_subquery()


def _authors() -> CTE:
    """As many ids of authors below `id` as `limit` says, a step in the index for each: DISTINCT reads every post."""
    start = _author_before(bindparam("id", type_=User.id.type))
    steps = select(start.label("id"), literal(1).label("number")).cte("authors", recursive=True)
    is_followed = steps.c.id.is_not(None) & (steps.c.number < bindparam("limit"))
    return steps.union_all(select(_author_before(steps.c.id), steps.c.number + 1).where(is_followed))


_AUTHORS = _authors()
_PAGE = select(*_COLUMNS).join(_AUTHORS, User.id == _AUTHORS.c.id).order_by(User.id.desc())


class AuthorRow(Protocol):
    id: UUID
    name: str | None
    created_at: datetime


class AuthorReadRepo:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def get(self, user_id: UUID) -> AuthorRow | None:
        """The user, if a published post names them, also as a co-author."""
        return await self._reader.by_key(_ONE, user_id)

    async def page(self, *, after: Position, limit: int) -> Sequence[AuthorRow]:
        """Those with a published post of their own, newest first by the time in their ids.

        Users who are co-authors alone aren't among them: telling which of their posts are published takes reading all.
        """
        return await self._reader.all_shared(_PAGE, {"id": after.id, "limit": limit})
