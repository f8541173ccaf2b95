"""Queries of posts that are brought in from elsewhere, with all of their authors."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from app.db.base import set_columns
from app.db.errors import conflicts
from app.db.models.co_authorship import CoAuthorship
from app.db.models.post import Post
from app.db.models.user import User
from app.repos.posts import CONFLICTS


class ImportedPostRepo:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find_by_slugs(self, slugs: Iterable[str], *, authors: Iterable[UUID]) -> Sequence[Post]:
        """The posts with these slugs and their authors, locked; of drafts those of `authors` and of people without an
        account: other accounts' drafts are nobody else's business.
        """
        known = Post.published_at.is_not(None) | Post.author_id.in_(authors) | Post.author.has(User.email.is_(None))
        with_authors = select(Post).options(
            joinedload(Post.author, innerjoin=True),
            selectinload(Post.co_authorships).joinedload(CoAuthorship.user, innerjoin=True),
        )
        statement = with_authors.where(Post.slug.in_(slugs), known).with_for_update(of=Post)
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

    async def _save(self, post: Post) -> Post:
        with conflicts(CONFLICTS):
            self._session.add(post)
            await self._session.flush()
        return post
