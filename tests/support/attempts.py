"""Attempts that rate limits count, from any network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from tests.support.accounts import AUTH, USERS, configure
from tests.support.application import client_of

WIDE = "1000/hour"
LIMITS: dict[str, Any] = {
    f"rate_limit_{action}_{kind}": WIDE
    for action in ("sign_in", "reset", "registration")
    for kind in ("address", "account", "total")
    if (action, kind) != ("registration", "total")
}

# What each kind of attempt is limited by, and a request that makes one.
ATTEMPTS = [
    pytest.param("sign_in", "/token", "data", id="sign-in"),
    pytest.param("reset", "/password/reset", "json", id="reset"),
    pytest.param("reset", "/email/verify", "json", id="confirmation"),
    pytest.param("registration", USERS, "json", id="registration"),
]
STORAGES = pytest.mark.parametrize("storage", [None, "async+memory://"], ids=["database", "storage"])


def use_limits(app: FastAPI, **settings: Any) -> None:
    """Turns the limits on: wide but for those named here."""
    configure(app, rate_limits=True, **(LIMITS | settings))


@asynccontextmanager
async def client_at(app: FastAPI, address: str | None, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody unknown at this network address."""

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await app(dict(scope, client=(address, 4711) if address else None), receive, send)

    async with client_of(asgi, headers=headers) as client:
        yield client


async def attempt(
    client: httpx2.AsyncClient, path: str, kind: str, email: str, headers: dict[str, str] | None = None
) -> httpx2.Response:
    fields: dict[str, Any] = {"username": email, "password": "a guess"} if path == "/token" else {"email": email}
    options: dict[str, Any] = {kind: fields}
    return await client.post(path if path == USERS else AUTH + path, headers=headers, **options)


def is_limited(response: httpx2.Response) -> bool:
    return response.status_code == 429
