"""Users: /api/v1/users."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.api.deps import UserReads, Users
from app.api.errors import problems
from app.core.errors import EmailTaken, UserNotFound
from app.schemas.pages import Page, PageQuery
from app.schemas.users import UserCreate, UserRead, UserUpdate

router = APIRouter(prefix="/users", tags=["users"])


@router.post("", status_code=201, summary="Create a user", responses=problems(EmailTaken))
async def create_user(new: UserCreate, users: Users) -> UserRead:
    return await users.create_user(new)


@router.get("", status_code=200, summary="List users, newest first", responses=problems())
async def list_users(query: Annotated[PageQuery, Query()], users: UserReads) -> Page[UserRead]:
    return await users.list_users(query)


@router.get("/{user_id}", status_code=200, summary="Read a user", responses=problems(UserNotFound))
async def read_user(user_id: UUID, users: UserReads) -> UserRead:
    return await users.get_user(user_id)


@router.patch("/{user_id}", status_code=200, summary="Change a user", responses=problems(UserNotFound, EmailTaken))
async def update_user(user_id: UUID, change: UserUpdate, users: Users) -> UserRead:
    return await users.update_user(user_id, change)


@router.delete("/{user_id}", status_code=204, summary="Delete a user and their posts", responses=problems(UserNotFound))
async def delete_user(user_id: UUID, users: Users) -> None:
    await users.delete_user(user_id)
