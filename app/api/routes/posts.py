"""Posts: /api/v1/posts."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from app.api.deps import Reads, Writes
from app.api.errors import problems
from app.api.identity import reading, writing
from app.core.config import LARGEST_BODY
from app.core.errors import (
    AuthorUnknown,
    EmailUnverified,
    Forbidden,
    NotAuthenticated,
    PostNotFound,
    ScopeMissing,
    SlugTaken,
)
from app.core.identity import Caller, Scope
from app.schemas.base import Written
from app.schemas.pages import Page
from app.schemas.posts import PostCreate, PostQuery, PostRead, PostSummary, PostUpdate

router = APIRouter(prefix="/posts", tags=["posts"])

PostReader = Annotated[Caller | None, Depends(reading(Scope.POSTS_READ))]
PostWriter = Annotated[Caller, Depends(writing(Scope.POSTS_WRITE))]

READ = (NotAuthenticated, ScopeMissing)
WRITE = (NotAuthenticated, ScopeMissing, Forbidden, EmailUnverified)


@router.post(
    "",
    status_code=201,
    summary="Write a post",
    responses=problems(*WRITE, AuthorUnknown, SlugTaken),
    max_body_size=LARGEST_BODY,
)
async def create_post(new: PostCreate, writes: Writes, caller: PostWriter) -> PostRead | Written:
    return await writes.posts.create_post(new, caller)


@router.get("", status_code=200, summary="List posts, newest first", responses=problems(*READ, Forbidden))
async def list_posts(query: Annotated[PostQuery, Query()], reads: Reads, caller: PostReader) -> Page[PostSummary]:
    return await reads.posts.list_posts(query, caller)


@router.get("/{post_id}", status_code=200, summary="Read a post", responses=problems(*READ, PostNotFound))
async def read_post(post_id: UUID, reads: Reads, caller: PostReader) -> PostRead:
    return await reads.posts.get_post(post_id, caller)


@router.patch(
    "/{post_id}",
    status_code=200,
    summary="Change a post",
    responses=problems(*WRITE, PostNotFound, SlugTaken),
    max_body_size=LARGEST_BODY,
)
async def update_post(post_id: UUID, change: PostUpdate, writes: Writes, caller: PostWriter) -> PostRead | Written:
    return await writes.posts.update_post(post_id, change, caller)


@router.delete("/{post_id}", status_code=204, summary="Delete a post", responses=problems(*WRITE, PostNotFound))
async def delete_post(post_id: UUID, writes: Writes, caller: PostWriter) -> None:
    await writes.posts.delete_post(post_id, caller)
