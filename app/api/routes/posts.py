"""Posts: /api/v1/posts."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.deps import PostReads, Posts
from app.api.errors import problems
from app.core.errors import AuthorUnknown, PostNotFound, SlugTaken
from app.schemas.pages import Page
from app.schemas.posts import PostCreate, PostQuery, PostRead, PostSummary, PostUpdate

router = APIRouter(prefix="/posts", tags=["posts"])


@router.post("", status_code=201, summary="Write a post", responses=problems(AuthorUnknown, SlugTaken))
async def create_post(new: PostCreate, posts: Posts) -> PostRead:
    return await posts.create_post(new)


@router.get("", status_code=200, summary="List posts, newest first", responses=problems())
async def list_posts(query: Annotated[PostQuery, Query()], posts: PostReads) -> Page[PostSummary]:
    return await posts.list_posts(query)


@router.get("/{post_id}", status_code=200, summary="Read a post", responses=problems(PostNotFound))
async def read_post(post_id: UUID, posts: PostReads) -> PostRead:
    return await posts.get_post(post_id)


@router.patch("/{post_id}", status_code=200, summary="Change a post", responses=problems(PostNotFound, SlugTaken))
async def update_post(post_id: UUID, change: PostUpdate, posts: Posts) -> PostRead:
    return await posts.update_post(post_id, change)


@router.delete("/{post_id}", status_code=204, summary="Delete a post", responses=problems(PostNotFound))
async def delete_post(post_id: UUID, posts: Posts) -> None:
    await posts.delete_post(post_id)
