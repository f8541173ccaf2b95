"""Posts: /api/v1/posts."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.deps import PostReads, Posts
from app.api.errors import problems
from app.api.identity import PostReader, PostWriter
from app.core.errors import (
    AuthorUnknown,
    EmailUnverified,
    Forbidden,
    NotAuthenticated,
    PostNotFound,
    ScopeMissing,
    SlugTaken,
)
from app.schemas.pages import Page
from app.schemas.posts import PostCreate, PostQuery, PostRead, PostSummary, PostUpdate

router = APIRouter(prefix="/posts", tags=["posts"])

READ = (NotAuthenticated, ScopeMissing)
WRITE = (NotAuthenticated, ScopeMissing, Forbidden, EmailUnverified)


@router.post("", status_code=201, summary="Write a post", responses=problems(*WRITE, AuthorUnknown, SlugTaken))
async def create_post(new: PostCreate, posts: Posts, caller: PostWriter) -> PostRead:
    return await posts.create_post(new, caller)


@router.get("", status_code=200, summary="List posts, newest first", responses=problems(*READ, Forbidden))
async def list_posts(query: Annotated[PostQuery, Query()], posts: PostReads, caller: PostReader) -> Page[PostSummary]:
    return await posts.list_posts(query, caller)


@router.get("/{post_id}", status_code=200, summary="Read a post", responses=problems(*READ, PostNotFound))
async def read_post(post_id: UUID, posts: PostReads, caller: PostReader) -> PostRead:
    return await posts.get_post(post_id, caller)


@router.patch(
    "/{post_id}", status_code=200, summary="Change a post", responses=problems(*WRITE, PostNotFound, SlugTaken)
)
async def update_post(post_id: UUID, change: PostUpdate, posts: Posts, caller: PostWriter) -> PostRead:
    return await posts.update_post(post_id, change, caller)


@router.delete("/{post_id}", status_code=204, summary="Delete a post", responses=problems(*WRITE, PostNotFound))
async def delete_post(post_id: UUID, posts: Posts, caller: PostWriter) -> None:
    await posts.delete_post(post_id, caller)
