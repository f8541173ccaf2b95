"""Sessions: how they are listed, and everything that ends them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.models.user import User
from tests.support.accounts import (
    AUTH,
    PASSWORD,
    USERS,
    Tokens,
    claims_of,
    configure,
    hashed,
    is_locked_out,
    opens,
    refresh,
    sign_in,
    tokens_of,
)
from tests.support.callers import Save, header
from tests.support.users import new_user

# What ends a session, each by whoever may: the account's tokens and the administrator's client at hand.
type Ending = Callable[[httpx2.AsyncClient, httpx2.AsyncClient, User, Tokens], Awaitable[httpx2.Response]]


async def changing_the_password(
    _admin: httpx2.AsyncClient, visitor: httpx2.AsyncClient, _user: User, tokens: Tokens
) -> httpx2.Response:
    change = {"current_password": PASSWORD, "new_password": "another quiet harbour"}
    return await visitor.post(f"{AUTH}/password", json=change, headers=header(tokens["access_token"]))


async def being_deactivated(
    admin: httpx2.AsyncClient, _visitor: httpx2.AsyncClient, user: User, _tokens: Tokens
) -> httpx2.Response:
    return await admin.patch(f"{USERS}/{user.id}", json={"is_active": False})


async def being_deleted(
    admin: httpx2.AsyncClient, _visitor: httpx2.AsyncClient, user: User, _tokens: Tokens
) -> httpx2.Response:
    return await admin.delete(f"{USERS}/{user.id}")


async def deleting_the_account(
    _admin: httpx2.AsyncClient, visitor: httpx2.AsyncClient, user: User, tokens: Tokens
) -> httpx2.Response:
    return await visitor.delete(f"{USERS}/{user.id}", headers=header(tokens["access_token"]))


async def signing_out(
    _admin: httpx2.AsyncClient, visitor: httpx2.AsyncClient, _user: User, tokens: Tokens
) -> httpx2.Response:
    return await visitor.post(f"{AUTH}/logout", headers=header(tokens["access_token"]))


async def ending_the_session(
    _admin: httpx2.AsyncClient, visitor: httpx2.AsyncClient, user: User, tokens: Tokens
) -> httpx2.Response:
    elsewhere = header((await tokens_of(visitor, user.email))["access_token"])
    sessions = (await visitor.get(f"{AUTH}/sessions", headers=elsewhere)).json()
    (other,) = [session["id"] for session in sessions if not session["is_current"]]
    return await visitor.delete(f"{AUTH}/sessions/{other}", headers=elsewhere)


@pytest.mark.parametrize(
    "ending",
    [
        changing_the_password,
        being_deactivated,
        being_deleted,
        deleting_the_account,
        signing_out,
        ending_the_session,
    ],
)
async def test_both_tokens_are_locked_out_at_once_by(
    client: httpx2.AsyncClient, visitor: httpx2.AsyncClient, ada: User, ending: Ending
) -> None:
    tokens = await tokens_of(visitor, ada.email)
    assert await opens(visitor, tokens)

    response = await ending(client, visitor, ada, tokens)

    assert response.status_code in (200, 204), response.text
    assert not await opens(visitor, tokens)
    assert await is_locked_out(visitor, tokens)


async def test_a_reactivated_account_does_not_get_its_old_sessions_back(
    client: httpx2.AsyncClient, visitor: httpx2.AsyncClient, ada: User
) -> None:
    tokens = await tokens_of(visitor, ada.email)

    for is_active in (False, True):
        await client.patch(f"{USERS}/{ada.id}", json={"is_active": is_active})

    assert await is_locked_out(visitor, tokens)
    assert (await sign_in(visitor, ada.email)).status_code == 200


async def test_a_session_that_has_expired_opens_nothing(
    visitor: httpx2.AsyncClient, connection: AsyncConnection, ada: User
) -> None:
    tokens = await tokens_of(visitor, ada.email)
    await connection.execute(text("UPDATE auth_sessions SET expires_at = now() - interval '1 second'"))

    assert await is_locked_out(visitor, tokens)


async def test_a_session_lasts_as_long_as_the_setting_says(
    app: FastAPI, visitor: httpx2.AsyncClient, connection: AsyncConnection, ada: User
) -> None:
    configure(app, refresh_token_lifetime=3600)

    await tokens_of(visitor, ada.email)

    expires_at = await connection.scalar(text("SELECT expires_at FROM auth_sessions"))
    assert abs(expires_at - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=5)


async def test_signing_in_forgets_the_sessions_that_have_expired(
    visitor: httpx2.AsyncClient, connection: AsyncConnection, ada: User
) -> None:
    await tokens_of(visitor, ada.email)
    await connection.execute(text("UPDATE auth_sessions SET expires_at = now() - interval '1 second'"))

    await tokens_of(visitor, ada.email)

    assert await connection.scalar(text("SELECT count(*) FROM auth_sessions")) == 1
    assert await connection.scalar(text("SELECT count(*) FROM refresh_tokens")) == 1


async def test_signing_out_ends_one_session_and_no_other(visitor: httpx2.AsyncClient, ada: User) -> None:
    phone, laptop = [await tokens_of(visitor, ada.email) for _ in range(2)]

    await visitor.post(f"{AUTH}/logout", headers=header(phone["access_token"]))

    assert await is_locked_out(visitor, phone)
    assert await opens(visitor, laptop)
    assert (await refresh(visitor, laptop["refresh_token"])).status_code == 200


async def test_ones_sessions_are_listed_and_the_one_that_asks_is_marked(
    visitor: httpx2.AsyncClient, ada: User, save: Save
) -> None:
    await save(new_user(email="grace@example.com", password_hash=hashed()))
    await tokens_of(visitor, "grace@example.com")
    visitor.headers["User-Agent"] = "phone"
    await tokens_of(visitor, ada.email)
    visitor.headers["User-Agent"] = "laptop"
    laptop = await tokens_of(visitor, ada.email)
    visitor.headers["User-Agent"] = "something else"

    sessions = (await visitor.get(f"{AUTH}/sessions", headers=header(laptop["access_token"]))).json()

    assert [(each["user_agent"], each["is_current"]) for each in sessions] == [("laptop", True), ("phone", False)]


async def test_ended_and_expired_sessions_are_not_listed(
    visitor: httpx2.AsyncClient, connection: AsyncConnection, ada: User
) -> None:
    ended, expired, current = [await tokens_of(visitor, ada.email) for _ in range(3)]
    await visitor.post(f"{AUTH}/logout", headers=header(ended["access_token"]))
    await connection.execute(
        text("UPDATE auth_sessions SET expires_at = now() - interval '1 second' WHERE id = :id"),
        {"id": claims_of(expired)["sid"]},
    )

    sessions = (await visitor.get(f"{AUTH}/sessions", headers=header(current["access_token"]))).json()

    assert [each["id"] for each in sessions] == [claims_of(current)["sid"]]


async def test_somebody_elses_session_is_a_404_and_goes_on(visitor: httpx2.AsyncClient, ada: User, save: Save) -> None:
    grace = new_user(email="grace@example.com", password_hash=hashed())
    await save(grace)
    hers, own = await tokens_of(visitor, grace.email), await tokens_of(visitor, ada.email)
    path = f"{AUTH}/sessions/{claims_of(hers)['sid']}"

    response = await visitor.delete(path, headers=header(own["access_token"]))

    assert response.status_code == 404
    assert response.json()["code"] == "session_not_found"
    assert await opens(visitor, hers)


async def test_a_session_ends_once(visitor: httpx2.AsyncClient, ada: User) -> None:
    ended, own = [await tokens_of(visitor, ada.email) for _ in range(2)]
    path = f"{AUTH}/sessions/{claims_of(ended)['sid']}"

    statuses = [(await visitor.delete(path, headers=header(own["access_token"]))).status_code for _ in range(2)]

    assert statuses == [204, 404]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", f"{AUTH}/logout"), ("GET", f"{AUTH}/sessions"), ("POST", f"{AUTH}/password")]
)
async def test_what_is_for_signed_in_users_asks_a_visitor_to_sign_in(
    visitor: httpx2.AsyncClient, method: str, path: str
) -> None:
    body = {"current_password": PASSWORD, "new_password": "another quiet harbour"} if "password" in path else None

    response = await visitor.request(method, path, json=body)

    assert response.status_code == 401
    assert response.json()["code"] == "not_authenticated"
    assert response.headers["www-authenticate"] == "Bearer"
