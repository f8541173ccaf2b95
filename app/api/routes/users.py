"""Users: /api/v1/users."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from app.api.deps import Client, Reads, Writes
from app.api.errors import problems
from app.api.identity import AccountOwner, AnyCaller, CurrentUser, reading
from app.core.errors import (
    EmailTaken,
    Forbidden,
    NameTaken,
    NotAuthenticated,
    PasswordTooWeak,
    PasswordWrong,
    RateLimited,
    RateLimitsUnavailable,
    RegistrationClosed,
    ScopeMissing,
    UserNameless,
    UserNotFound,
)
from app.core.identity import Caller, Scope
from app.schemas.base import Written
from app.schemas.pages import Page, PageQuery
from app.schemas.users import AuthorRead, UserCreate, UserRead, UserUpdate

router = APIRouter(prefix="/users", tags=["users"])

UserReader = Annotated[Caller | None, Depends(reading(Scope.USERS_READ))]

LIMITED = (RateLimited, RateLimitsUnavailable)
CREATE = (EmailTaken, PasswordTooWeak, *LIMITED, RegistrationClosed, Forbidden, NotAuthenticated)
READ = (NotAuthenticated, ScopeMissing)
REMOVE = (NotAuthenticated, Forbidden, ScopeMissing, UserNotFound)
CHANGE = (*REMOVE, EmailTaken, NameTaken, UserNameless, PasswordWrong, *LIMITED)


@router.post("", status_code=201, summary="Register, or create a user", responses=problems(*CREATE))
async def create_user(new: UserCreate, writes: Writes, caller: AnyCaller, client: Client) -> UserRead | Written:
    return await writes.users.create_user(new, caller, client)


@router.get("", status_code=200, summary="List users, newest first", responses=problems(*READ))
async def list_users(
    query: Annotated[PageQuery, Query()], reads: Reads, caller: UserReader
) -> Page[UserRead | AuthorRead]:
    """Without signing in: users with a published post of their own, unless the service is configured otherwise."""
    return await reads.users.list_users(query, caller)


@router.get("/me", status_code=200, summary="Read yourself", responses=problems(*READ))
async def read_me(reads: Reads, _reader: UserReader, caller: CurrentUser) -> UserRead | AuthorRead:
    return await reads.users.get_user(caller.user_id, caller)


@router.get("/{user_id}", status_code=200, summary="Read a user", responses=problems(*READ, UserNotFound))
async def read_user(user_id: UUID, reads: Reads, caller: UserReader) -> UserRead | AuthorRead:
    """Without signing in: a user whom a published post names, unless the service is configured otherwise."""
    return await reads.users.get_user(user_id, caller)


@router.patch("/{user_id}", status_code=200, summary="Change a user", responses=problems(*CHANGE))
async def update_user(
    user_id: UUID, change: UserUpdate, writes: Writes, caller: AccountOwner, client: Client
) -> UserRead | Written:
    return await writes.users.update_user(user_id, change, caller, client)


@router.delete("/{user_id}", status_code=204, summary="Delete a user and their posts", responses=problems(*REMOVE))
async def delete_user(user_id: UUID, writes: Writes, caller: AccountOwner) -> None:
    await writes.users.delete_user(user_id, caller)
