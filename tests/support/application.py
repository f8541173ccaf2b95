"""Applications under test, with or without their own engines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import uuid4

import httpx2
from fastapi import Depends, FastAPI
from sqlalchemy.engine import URL
from starlette.types import ASGIApp

from app.api.identity import Identities, bearer, get_optional_user
from app.core.config import Settings, load_settings
from app.core.identity import Caller
from app.db.base import Base
from app.db.session import Database
from app.main import create_app
from app.wiring import make_readiness
from tests.support.callers import ADMIN, ADMIN_CREDENTIAL, Save
from tests.support.database import store

SECRET = "a test secret of more than 32 characters"
OTHER_SECRET = "another secret of more than 32 characters"
PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "secret_keys": {"one": "a production secret of more than 32 characters"},
}


def make_settings(url: URL | None = None, **values: Any) -> Settings:
    """Settings that don't depend on the environment of whoever runs the tests."""
    text = url.render_as_string(hide_password=False) if url else None
    defaults = {
        "environment": "test",
        "database_url": text,
        "secret_keys": {"test": SECRET},
        "log_format": "json",
        "rate_limits": False,
        # What hashing costs is the same promise at any price, and thousands of tests would pay it.
        "password_time_cost": 1,
        "password_memory_kib": 8,
    }
    if values.get("environment") == "production":  # which takes no less
        defaults |= {"password_time_cost": 5, "password_memory_kib": 7168}
    return load_settings(_env_file=None, **(defaults | values))


def offline(**settings: Any) -> FastAPI:
    """An application without a database, for what is answered before one is asked."""
    return create_app(make_settings(**settings))


@asynccontextmanager
async def running(url: URL, app: FastAPI | None = None, **values: Any) -> AsyncIterator[FastAPI]:
    """An application with engines of its own on this database, as in production: what it commits is committed."""
    settings = make_settings(url, **values)
    app = app or create_app(settings)
    admit_admin(app)
    app.state.database = Database(url, settings, app.state.tracing)
    app.state.readiness = make_readiness(app.state.database)
    try:
        yield app
    finally:
        await app.state.database.close()


def storing(app: FastAPI) -> Save:
    """Stores rows in transactions of the application's own: they are committed."""

    async def save(*rows: Base) -> None:
        async with app.state.database.transaction() as session:
            await store(session, rows)

    return save


def admit_admin(app: FastAPI) -> None:
    """Lets ADMIN's headers pass for an administrator, without a query; other credentials are looked at as ever."""

    async def caller(credential: Annotated[str | None, Depends(bearer)], identities: Identities) -> Caller | None:
        if credential == ADMIN_CREDENTIAL:
            return Caller(user_id=uuid4(), is_admin=True, session_id=uuid4())
        return await get_optional_user(credential, identities)

    app.dependency_overrides[get_optional_user] = caller


@asynccontextmanager
async def client_of(app: FastAPI | ASGIApp, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """Speaks to the application in process: as an administrator, unless other headers are given."""
    options.setdefault("headers", ADMIN)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://postern.test", **options) as client:
        yield client
