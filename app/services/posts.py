"""What may be done with posts."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.core.errors import AuthorUnknown, PostNotFound
from app.db.models import Post
from app.repos.posts import PostReadRepo, PostRepo
from app.repos.users import UserRepo
from app.schemas.pages import Page
from app.schemas.posts import PostCreate, PostQuery, PostRead, PostSummary, PostUpdate
from app.schemas.users import AuthorRead
from app.services.pages import page_of


class PostReadService:
    def __init__(self, posts: PostReadRepo) -> None:
        self._posts = posts

    async def get_post(self, post_id: UUID) -> PostRead:
        row = await self._posts.get(post_id)
        if row is None:
            raise PostNotFound
        return PostRead(body=row.body, **_summary(row))

    async def list_posts(self, query: PostQuery) -> Page[PostSummary]:
        rows = await self._posts.page(
            after=query.after,
            limit=query.limit + 1,
            drafts=query.status == "draft",
            author_id=query.author_id,
        )
        posts = [PostSummary(**_summary(row)) for row in rows]
        return page_of(posts, query.limit, at=lambda post: post.published_at or post.created_at)


class PostService:
    def __init__(self, posts: PostRepo, users: UserRepo) -> None:
        self._posts = posts
        self._users = users

    async def create_post(self, new: PostCreate) -> PostRead:
        author = await self._users.get(new.author_id)
        if author is None:
            raise AuthorUnknown
        post = Post(
            author=author,
            title=new.title,
            slug=new.slug,
            body=new.body,
            published_at=None if new.draft else datetime.now(UTC),
            co_authorships=[],
        )
        await self._posts.save(post)
        return PostRead.model_validate(post)

    async def update_post(self, post_id: UUID, change: PostUpdate) -> PostRead:
        post = await self._for_update(post_id)
        fields = change.model_dump(exclude_unset=True)
        draft = fields.pop("draft", post.published_at is None)
        if draft != (post.published_at is None):
            post.published_at = None if draft else datetime.now(UTC)
        for field, value in fields.items():
            setattr(post, field, value)
        await self._posts.save(post)
        return PostRead.model_validate(post)

    async def delete_post(self, post_id: UUID) -> None:
        await self._posts.delete(await self._for_update(post_id))

    async def _for_update(self, post_id: UUID) -> Post:
        post = await self._posts.get_for_update(post_id)
        if post is None:
            raise PostNotFound
        return post


def _summary(row: Any) -> dict[str, Any]:
    """The fields of a summary from a row of columns."""
    fields: dict[str, Any] = row._asdict()
    fields.pop("body", None)
    fields["author"] = AuthorRead(id=fields.pop("author_id"), name=fields.pop("author_name"))
    return fields
