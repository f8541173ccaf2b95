"""What may be done with posts."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.core.errors import AuthorUnknown, Forbidden, NotAuthenticated, PostNotFound
from app.core.identity import Caller
from app.db.models import Post
from app.repos.posts import PostReadRepo, PostRepo
from app.repos.users import UserRepo
from app.schemas.pages import Page
from app.schemas.posts import PostCreate, PostQuery, PostRead, PostSummary, PostUpdate
from app.schemas.users import AuthorRead
from app.services.pages import page_of


class PostReadService:
    """Published posts are for everybody, a draft is for its author and for administrators."""

    def __init__(self, posts: PostReadRepo) -> None:
        self._posts = posts

    async def get_post(self, post_id: UUID, caller: Caller | None) -> PostRead:
        row = await self._posts.get(post_id)
        if row is None or (row.published_at is None and not _may_change(row.author_id, caller)):
            raise PostNotFound
        return PostRead(body=row.body, **_summary(row))

    async def list_posts(self, query: PostQuery, caller: Caller | None) -> Page[PostSummary]:
        drafts = query.status == "draft"
        author_id = query.author_id
        if drafts and caller is None:
            raise NotAuthenticated
        if drafts and caller and not caller.is_admin:
            author_id = author_id or caller.user_id
            if author_id != caller.user_id:
                raise Forbidden
        rows = await self._posts.page(after=query.after, limit=query.limit + 1, drafts=drafts, author_id=author_id)
        posts = [PostSummary(**_summary(row)) for row in rows]
        return page_of(posts, query.limit, at=lambda post: post.published_at or post.created_at)


class PostService:
    """Authors change their own posts, administrators any."""

    def __init__(self, posts: PostRepo, users: UserRepo) -> None:
        self._posts = posts
        self._users = users

    async def create_post(self, new: PostCreate, caller: Caller) -> PostRead:
        author_id = new.author_id or caller.user_id
        if not _may_change(author_id, caller):
            raise Forbidden
        author = await self._users.get(author_id)
        if author is None:
            raise AuthorUnknown
        post = Post(
            author=author,
            author_id=author.id,
            title=new.title,
            slug=new.slug,
            body=new.body,
            published_at=None if new.draft else datetime.now(UTC),
            co_authorships=[],
        )
        await self._posts.save(post)
        return PostRead.model_validate(post)

    async def update_post(self, post_id: UUID, change: PostUpdate, caller: Caller) -> PostRead:
        post = await self._for_update(post_id, caller)
        fields = change.model_dump(exclude_unset=True)
        draft = fields.pop("draft", post.published_at is None)
        if draft != (post.published_at is None):
            post.published_at = None if draft else datetime.now(UTC)
        for field, value in fields.items():
            setattr(post, field, value)
        await self._posts.save(post)
        return PostRead.model_validate(post)

    async def delete_post(self, post_id: UUID, caller: Caller) -> None:
        await self._posts.delete(await self._for_update(post_id, caller))

    async def _for_update(self, post_id: UUID, caller: Caller) -> Post:
        """The post to change, locked. Somebody else's draft is none of the caller's business: it isn't there."""
        post = await self._posts.get_for_update(post_id)
        if post is None:
            raise PostNotFound
        if not _may_change(post.author_id, caller):
            raise PostNotFound if post.published_at is None else Forbidden
        return post


def _may_change(author_id: UUID, caller: Caller | None) -> bool:
    return caller is not None and (caller.is_admin or caller.owns(author_id))


def _summary(row: Any) -> dict[str, Any]:
    """The fields of a summary from a row of columns."""
    fields: dict[str, Any] = row._asdict()
    fields.pop("body", None)
    fields["author"] = AuthorRead(id=fields.pop("author_id"), name=fields.pop("author_name"))
    return fields
