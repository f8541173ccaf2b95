"""What may be done with posts."""

from datetime import UTC, datetime
from uuid import UUID

from app.core.errors import Forbidden, NotAuthenticated, PostNotFound
from app.core.identity import Caller, Scope
from app.core.metrics import POSTS
from app.repos.posts import PostReadRepo, PostRepo, PostRow, PostState
from app.schemas.base import Written
from app.schemas.pages import Page
from app.schemas.posts import PostCreate, PostQuery, PostRead, PostSummary, PostUpdate


class PostReadService:
    """Published posts are for everybody, a draft is for its author and for administrators."""

    def __init__(self, posts: PostReadRepo) -> None:
        self._posts = posts

    async def get_post(self, post_id: UUID, caller: Caller | None) -> PostRead:
        row = await self._posts.get(post_id)
        if row is None or (row.published_at is None and not _may_change(row.author_id, caller)):
            raise PostNotFound
        return PostRead.model_validate(row)

    async def list_posts(self, query: PostQuery, caller: Caller | None) -> Page[PostSummary]:
        drafts = query.status == "draft"
        author_id = _author_of_drafts(query, caller) if drafts else query.author_id
        rows = await self._posts.page(after=query.after, limit=query.limit + 1, drafts=drafts, author_id=author_id)
        return Page[PostSummary].of(rows, query.limit, at=lambda row: row.published_at or row.created_at)


class PostService:
    """Authors change their own posts, administrators any."""

    def __init__(self, posts: PostRepo) -> None:
        self._posts = posts

    async def create_post(self, new: PostCreate, caller: Caller) -> PostRead | Written:
        values = new.model_dump(exclude={"author_id", "draft"})
        author_id = new.author_id or caller.user_id
        if not _may_change(author_id, caller):
            raise Forbidden
        published_at = None if new.draft else datetime.now(UTC)
        post = await self._posts.create(author_id=author_id, published_at=published_at, **values)
        POSTS.labels("created").inc()
        return _as_told_to(caller, post)

    async def update_post(self, post_id: UUID, change: PostUpdate, caller: Caller) -> PostRead | Written:
        post = await self._for_update(post_id, caller)
        values = change.model_dump(exclude_unset=True)
        draft = values.pop("draft", post.published_at is None)
        if draft != (post.published_at is None):
            values["published_at"] = None if draft else datetime.now(UTC)
        changed = await self._posts.update(post_id, values)
        POSTS.labels("updated").inc()
        return _as_told_to(caller, changed)

    async def delete_post(self, post_id: UUID, caller: Caller) -> None:
        await self._for_update(post_id, caller)
        await self._posts.delete(post_id)
        POSTS.labels("deleted").inc()

    async def _for_update(self, post_id: UUID, caller: Caller) -> PostState:
        """The post to change, locked. Raises PostNotFound, also for a draft that the caller may not see."""
        post = await self._posts.get_for_update(post_id)
        if post is None:
            raise PostNotFound
        if not _may_change(post.author_id, caller):
            raise PostNotFound if post.published_at is None else Forbidden
        return post


def _may_change(author_id: UUID, caller: Caller | None) -> bool:
    return caller is not None and (caller.is_admin or caller.owns(author_id))


def _as_told_to(caller: Caller, post: PostRow) -> PostRead | Written:
    """The answer to a write: what a key may not read, it doesn't get back."""
    return (PostRead if caller.has(Scope.POSTS_READ) else Written).model_validate(post)


def _author_of_drafts(query: PostQuery, caller: Caller | None) -> UUID | None:
    """Whose drafts are listed: the caller's own, or for administrators anybody's (None)."""
    if caller is None:
        raise NotAuthenticated
    if caller.is_admin:
        return query.author_id
    if query.author_id not in (None, caller.user_id):
        raise Forbidden
    return caller.user_id
