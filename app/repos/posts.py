"""Queries of posts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import JSON, Select, bindparam, func, select, tuple_
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload, load_only, selectinload

from app.core.errors import AuthorUnknown, SlugTaken
from app.db.base import set_columns
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

_BATCH = 500  # posts that are deleted at a time

_CO_AUTHOR = aliased(User)
# One JSON value a row: co-authors are rare, and a join would repeat the post for each of them.
_CO_AUTHORS = (
    select(
        func.coalesce(
            func.json_agg(
                aggregate_order_by(
                    func.json_build_object("id", _CO_AUTHOR.id, "name", _CO_AUTHOR.name),
                    CoAuthorship.position,
                )
            ),
            func.json_build_array(),
            type_=JSON,
        )
    )
    .join_from(CoAuthorship, _CO_AUTHOR, CoAuthorship.user_id == _CO_AUTHOR.id)
    .where(CoAuthorship.post_id == Post.id)
    .correlate(Post)
    .scalar_subquery()
)
_SUMMARY = select(
    Post.id,
    Post.title,
    Post.slug,
    Post.author_id,
    func.json_build_object("id", User.id, "name", User.name, type_=JSON).label("author"),
    _CO_AUTHORS.label("co_authors"),
    Post.published_at,
    Post.created_at,
    Post.updated_at,
).join(User, Post.author_id == User.id)
_ONE = KeyedQuery(_SUMMARY.add_columns(Post.body), Post.id, largest_batch=20)


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


class PostRow(Protocol):
    """The columns that decide who may see a post and where it stands; the others go to the response as they are."""

    id: UUID
    author_id: UUID
    published_at: datetime | None
    created_at: datetime


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
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get_for_update(self, post_id: UUID) -> Post | None:
        """The post with its authors, locked against other writers until the transaction ends."""
        statement = self._with_authors().where(Post.id == post_id).with_for_update(of=Post)
        return (await self._session.scalars(statement)).one_or_none()

    async def find_by_slugs(self, slugs: Iterable[str], *, authors: Iterable[UUID]) -> Sequence[Post]:
        """The posts with these slugs and their authors, locked; of drafts those of `authors` and of people without an
        account: other accounts' drafts are nobody else's business.
        """
        known = Post.published_at.is_not(None) | Post.author_id.in_(authors) | Post.author.has(User.email.is_(None))
        statement = self._with_authors().where(Post.slug.in_(slugs), known).with_for_update(of=Post)
        return (await self._session.scalars(statement)).all()

    async def create(self, *, author: User, co_authors: Sequence[User] = (), **values: Any) -> Post:
        """A new post; raises SlugTaken or AuthorUnknown, and TypeError for a value that no column takes."""
        post = Post(author=author, author_id=author.id, co_authorships=[], **values)
        self.set_co_authors(post, co_authors)
        return await self._save(post)

    async def update(self, post: Post, values: dict[str, Any]) -> Post:
        """Writes these columns; raises SlugTaken or AuthorUnknown, and AttributeError for a column that isn't there."""
        set_columns(post, values)
        return await self._save(post)

    def set_co_authors(self, post: Post, users: Sequence[User]) -> bool:
        """Puts these users behind the author in the byline, in this order; whether that changes it.

        It is written with the next `update`.
        """
        if post.co_authors == list(users):
            return False
        known = {co_authorship.user: co_authorship for co_authorship in post.co_authorships}
        post.co_authorships = [known.get(user) or CoAuthorship(user=user) for user in users]
        for position, co_authorship in enumerate(post.co_authorships, start=1):
            co_authorship.position = position
        return True

    async def delete(self, post: Post) -> None:
        await self._session.delete(post)
        await self._session.flush()

    async def delete_of_user(self, user_id: UUID) -> None:
        """Deletes the user's posts, and the user from the byline of others.

        The database would do it alone, but then the audit log wouldn't tell of the posts.
        """
        await self._delete_co_author(user_id)
        written = select(Post).where(Post.author_id == user_id).options(load_only(Post.id)).limit(_BATCH)
        while posts := (await self._session.scalars(written)).all():
            for post in posts:
                await self._session.delete(post)
            await self._session.flush()

    async def _delete_co_author(self, user_id: UUID) -> None:
        with_user = select(CoAuthorship.post_id).where(CoAuthorship.user_id == user_id)
        posts = select(Post).where(Post.id.in_(with_user)).with_for_update(of=Post)
        for post in await self._session.scalars(posts.options(load_only(Post.id), selectinload(Post.co_authorships))):
            post.co_authorships = [each for each in post.co_authorships if each.user_id != user_id]
        await self._session.flush()

    async def _save(self, post: Post) -> Post:
        with conflicts(CONFLICTS):
            self._session.add(post)
            await self._session.flush()
        return post

    @staticmethod
    def _with_authors() -> Select[Post]:
        return select(Post).options(
            joinedload(Post.author, innerjoin=True),
            selectinload(Post.co_authorships).joinedload(CoAuthorship.user, innerjoin=True),
        )
