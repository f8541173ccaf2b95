"""Everything that a route can ask for, as annotated aliases. Who asks, and what they may do, enters here.

Each provider can be replaced in tests through `app.dependency_overrides`.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.db.session import Reader
from app.repos.posts import PostReadRepo, PostRepo
from app.repos.users import UserReadRepo, UserRepo
from app.services.posts import PostReadService, PostService
from app.services.users import UserReadService, UserService


async def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def get_reader(request: Request) -> Reader:
    reader: Reader = request.app.state.database.reader
    return reader


async def get_db(request: Request) -> AsyncIterator[AsyncSession]:
    """The request's one write transaction."""
    async with request.app.state.database.transaction() as session:
        yield session


AppSettings = Annotated[Settings, Depends(get_settings)]
Read = Annotated[Reader, Depends(get_reader)]
# Function scope ends the transaction when the route returns. The default scope would end it after the response
# was sent, and a client could be told of a change that is then lost.
Write = Annotated[AsyncSession, Depends(get_db, scope="function")]


async def get_user_reads(reader: Read) -> UserReadService:
    return UserReadService(UserReadRepo(reader))


async def get_users(session: Write) -> UserService:
    return UserService(UserRepo(session))


async def get_post_reads(reader: Read) -> PostReadService:
    return PostReadService(PostReadRepo(reader))


async def get_posts(session: Write) -> PostService:
    return PostService(PostRepo(session), UserRepo(session))


UserReads = Annotated[UserReadService, Depends(get_user_reads)]
Users = Annotated[UserService, Depends(get_users)]
PostReads = Annotated[PostReadService, Depends(get_post_reads)]
Posts = Annotated[PostService, Depends(get_posts)]
