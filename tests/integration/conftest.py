"""Fixtures of the tests that go through HTTP: who calls, what is there, where mails arrive."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.identity import get_optional_user
from app.db.models.user import User
from tests.support.accounts import Tokens, configure, hashed, tokens_of
from tests.support.application import client_of
from tests.support.callers import Callers, Headers, Save
from tests.support.mailbox import Mailbox, mailbox
from tests.support.resources import make_world
from tests.support.rows import EventsOf
from tests.support.users import new_user
from tests.support.world import World


@pytest.fixture
async def ada(save: Save) -> User:
    """Somebody with a password, PASSWORD."""
    user = new_user(email="ada@example.com", password_hash=hashed())
    await save(user)
    return user


@pytest.fixture
def callers(app: FastAPI, save: Save) -> Callers:
    """Makes headers of users who signed in, or with an API key."""
    return Callers(app, save)


@pytest.fixture
async def owner(callers: Callers, ada: User) -> Headers:
    """The headers of Ada, signed in."""
    return await callers.signed_in(ada)


@pytest.fixture
async def tokens(visitor: httpx2.AsyncClient, ada: User) -> Tokens:
    """What Ada got for her password."""
    return await tokens_of(visitor, ada.email)


@pytest.fixture
async def world(app: FastAPI, callers: Callers, save: Save) -> World:
    """Somebody with a row of every kind, somebody else, an administrator; nobody is let in by an override."""
    del app.dependency_overrides[get_optional_user]
    return await make_world(World(save, callers))


@pytest.fixture
def events_of(connection: AsyncConnection) -> EventsOf:
    """The audit rows of the request that was answered so, oldest first, straight from the table."""

    async def events_of(response: httpx2.Response) -> Sequence[Row[Any]]:
        statement = text("SELECT * FROM audit_events WHERE request_id = :request_id ORDER BY id")
        return (await connection.execute(statement, {"request_id": response.headers["x-request-id"]})).all()

    return events_of


@pytest.fixture
async def box(app: FastAPI) -> AsyncIterator[Mailbox]:
    """Where the application's mails arrive."""
    async with mailbox() as box:
        configure(app, smtp_url=box.url(), public_url="https://blog.example.org/", mail_from="Blog <blog@example.org>")
        yield box


@pytest.fixture
async def live_visitor(live_app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody unknown; what is written stays."""
    async with client_of(live_app, headers={}) as client:
        yield client
