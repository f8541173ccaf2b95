"""Accounts with passwords, and what their owners do with them through HTTP."""

import json
from functools import cache
from typing import Any

import httpx2
from argon2 import PasswordHasher
from fastapi import FastAPI
from joserfc import jws

from app.api.deps import get_process_context, get_settings
from app.wiring import make_process_context
from tests.support.application import make_settings
from tests.support.callers import header

API = "/api/v1"
AUTH = f"{API}/auth"
USERS = f"{API}/users"
ME = f"{USERS}/me"
PASSWORD = "a quiet green harbour"
NEW_PASSWORD = "another quiet harbour"

type Tokens = dict[str, Any]


@cache
def hashed(password: str = PASSWORD) -> str:
    """As it is stored, with the parameters of the default settings."""
    settings = make_settings()
    return PasswordHasher(
        time_cost=settings.password_time_cost, memory_cost=settings.password_memory_kib, parallelism=1
    ).hash(password)


def configure(app: FastAPI, **values: Any) -> None:
    """Other settings, for the length of a test."""
    settings = make_settings(**values)
    resources = make_process_context(settings)
    app.dependency_overrides[get_settings] = lambda: settings
    app.dependency_overrides[get_process_context] = lambda: resources


def claims_of(tokens: Tokens) -> dict[str, Any]:
    """What the access token says, unverified."""
    return dict(json.loads(jws.extract_compact(tokens["access_token"].encode()).payload))


async def sign_in(client: httpx2.AsyncClient, email: str | None, password: str = PASSWORD) -> httpx2.Response:
    return await client.post(f"{AUTH}/token", data={"username": email, "password": password})


async def tokens_of(client: httpx2.AsyncClient, email: str | None, password: str = PASSWORD) -> Tokens:
    """The tokens of a new session."""
    response = await sign_in(client, email, password)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def refresh(client: httpx2.AsyncClient, refresh_token: str) -> httpx2.Response:
    return await client.post(f"{AUTH}/refresh", json={"refresh_token": refresh_token})


async def opens(client: httpx2.AsyncClient, tokens: Tokens) -> bool:
    """Whether the access token is good for anything."""
    response = await client.get(ME, headers=header(tokens["access_token"]))
    assert response.status_code in (200, 401), response.text
    return response.status_code == 200


async def is_locked_out(client: httpx2.AsyncClient, tokens: Tokens) -> bool:
    """Whether neither token is good for anything any more; tries the refresh token, which spends it."""
    refreshed = await refresh(client, tokens["refresh_token"])
    assert refreshed.status_code in (200, 401), refreshed.text
    return not await opens(client, tokens) and refreshed.status_code == 401


def told(response: httpx2.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """What an answer gives away: its status, its body and its headers, but for the request's id."""
    headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    return response.status_code, {**response.json(), "request_id": None}, headers
