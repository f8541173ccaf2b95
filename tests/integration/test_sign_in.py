"""Signing in, what it opens, and everything that ends it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from argon2 import PasswordHasher, extract_parameters
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.models import User
from tests.support.accounts import (
    AUTH,
    ME,
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
    told,
)
from tests.support.application import client_of, running, storing
from tests.support.callers import Callers, Save, header
from tests.support.database import ask, plain
from tests.support.factories import UserFactory
from tests.support.waiting import until_blocked


async def stored_hash(connection: AsyncConnection, user: User) -> str:
    return str(await connection.scalar(text("SELECT password_hash FROM users WHERE id = :id"), {"id": user.id}))


async def test_the_right_password_opens_the_account(visitor: httpx2.AsyncClient, ada: User) -> None:
    tokens = await tokens_of(visitor, "ada@example.com")

    me = await visitor.get(ME, headers=header(tokens["access_token"]))

    assert tokens["token_type"] == "bearer"
    assert me.status_code == 200
    assert (me.json()["id"], me.json()["email"]) == (str(ada.id), "ada@example.com")


async def test_the_form_is_the_one_that_oauth2_clients_send(visitor: httpx2.AsyncClient, ada: User) -> None:
    form = {"grant_type": "password", "username": ada.email, "password": PASSWORD, "scope": "", "client_id": "docs"}

    response = await visitor.post(f"{AUTH}/token", data=form)

    assert response.status_code == 200
    assert response.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("email", ["Ada@example.com", "ADA@EXAMPLE.COM", "aDa@Example.com"])
async def test_an_address_signs_in_in_any_case(visitor: httpx2.AsyncClient, ada: User, email: str) -> None:
    assert (await sign_in(visitor, email)).status_code == 200


async def test_every_refusal_of_a_sign_in_is_the_same_answer(
    visitor: httpx2.AsyncClient, ada: User, save: Save
) -> None:
    await save(
        UserFactory(email="none@example.com", password_hash=None),
        UserFactory(email="gone@example.com", password_hash=hashed(), is_active=False),
    )

    refusals = [
        await sign_in(visitor, "ada@example.com", "a wrong password"),
        await sign_in(visitor, "ada@example.com", PASSWORD.upper()),
        await sign_in(visitor, "unknown@example.com"),
        await sign_in(visitor, "none@example.com"),
        await sign_in(visitor, "none@example.com", "None"),
        await sign_in(visitor, "gone@example.com"),
        await sign_in(visitor, "gone@example.com", "a wrong password"),
        await sign_in(visitor, "not an address"),
        await sign_in(visitor, "ada\x00@example.com"),
        await sign_in(visitor, "ada@example.com", f"{PASSWORD}\x00"),
        await sign_in(visitor, "a" * 5000),
        await sign_in(visitor, "ada@example.com", "a" * 5000),
    ]

    assert told(refusals[0])[0] == 401
    assert told(refusals[0])[1]["code"] == "sign_in_refused"
    assert refusals[0].headers["content-type"] == "application/problem+json"
    assert [told(each) for each in refusals] == [told(refusals[0])] * len(refusals)


async def test_a_form_without_its_fields_is_a_422_that_does_not_quote_it(visitor: httpx2.AsyncClient) -> None:
    response = await visitor.post(f"{AUTH}/token", data={"password": PASSWORD})

    assert response.status_code == 422
    assert PASSWORD not in response.text


async def test_the_setting_says_how_long_an_access_token_lives(
    app: FastAPI, visitor: httpx2.AsyncClient, ada: User
) -> None:
    usual = await tokens_of(visitor, ada.email)
    configure(app, access_token_lifetime=60)
    short = await tokens_of(visitor, ada.email)

    assert (usual["expires_in"], short["expires_in"]) == (900, 60)
    lifetimes = [claims["exp"] - claims["iat"] for claims in map(claims_of, (usual, short))]
    assert lifetimes == [900, 60]


async def test_an_access_token_names_who_when_and_for_whom(visitor: httpx2.AsyncClient, ada: User) -> None:
    first, second = [claims_of(await tokens_of(visitor, ada.email)) for _ in range(2)]

    assert first.keys() == {"iss", "aud", "iat", "exp", "sub", "sid", "jti"}
    assert (first["sub"], first["iss"], first["aud"]) == (str(ada.id), "postern", "postern")
    assert first["jti"] != second["jti"]
    assert first["sid"] != second["sid"]


@pytest.mark.parametrize(
    ("policy", "sign_in_status", "read_status"), [("write", 200, 200), ("read", 200, 200), ("nothing", 403, 403)]
)
async def test_the_setting_says_what_an_unconfirmed_account_may_do(
    app: FastAPI,
    visitor: httpx2.AsyncClient,
    save: Save,
    callers: Callers,
    policy: str,
    sign_in_status: int,
    read_status: int,
) -> None:
    user = UserFactory(password_hash=hashed(), email_verified_at=None)
    await save(user)
    headers = await callers.signed_in(user)  # a session from before, say under another policy
    configure(app, unverified_may=policy)

    signed_in = await sign_in(visitor, user.email)
    read = await visitor.get(ME, headers=headers)

    assert (signed_in.status_code, read.status_code) == (sign_in_status, read_status)
    refused = [each for each in (signed_in, read) if each.status_code == 403]
    assert all(each.json()["code"] == "email_unverified" for each in refused)


async def test_an_unconfirmed_account_that_may_only_read_can_still_mend_its_address(
    app: FastAPI, visitor: httpx2.AsyncClient, callers: Callers
) -> None:
    user = UserFactory(email="tpyo@example.com", email_verified_at=None, password_hash=hashed())
    headers = await callers.signed_in(user)
    configure(app, unverified_may="read")
    change = {"email": "typo@example.com", "current_password": PASSWORD}

    response = await visitor.patch(f"{USERS}/{user.id}", json=change, headers=headers)

    assert response.status_code == 200


async def test_where_unconfirmed_accounts_may_do_nothing_a_wrong_password_does_not_tell_that_there_is_one(
    app: FastAPI, visitor: httpx2.AsyncClient, save: Save
) -> None:
    await save(UserFactory(email="ada@example.com", password_hash=hashed(), email_verified_at=None))
    configure(app, unverified_may="nothing")

    wrong = await sign_in(visitor, "ada@example.com", "a wrong password")
    unknown = await sign_in(visitor, "unknown@example.com", "a wrong password")

    assert told(wrong) == told(unknown)
    assert wrong.status_code == 401


async def test_a_sign_in_replaces_a_hash_of_weaker_parameters(
    app: FastAPI, visitor: httpx2.AsyncClient, connection: AsyncConnection, ada: User
) -> None:
    before = await stored_hash(connection, ada)
    configure(app, password_time_cost=3, password_memory_kib=16)

    await tokens_of(visitor, ada.email)

    after = await stored_hash(connection, ada)
    assert (extract_parameters(before).time_cost, extract_parameters(before).memory_cost) == (1, 8)
    assert (extract_parameters(after).time_cost, extract_parameters(after).memory_cost) == (3, 16)
    await tokens_of(visitor, ada.email)
    assert await stored_hash(connection, ada) == after


async def test_a_wrong_password_does_not_replace_a_hash_of_weaker_parameters(
    app: FastAPI, visitor: httpx2.AsyncClient, connection: AsyncConnection, ada: User
) -> None:
    before = await stored_hash(connection, ada)
    configure(app, password_time_cost=3)

    await sign_in(visitor, ada.email, "a wrong password")

    assert await stored_hash(connection, ada) == before


@asynccontextmanager
async def meeting_a_new_hash(url: URL, new: str, *, sign_ins: int, **settings: Any) -> AsyncIterator[list[int]]:
    """The answers to sign-ins that verified the password, and then waited for an account whose hash was changing."""
    async with running(url, password_concurrency=4, **settings) as app, client_of(app, headers={}) as client:
        await storing(app)(UserFactory(email="ada@example.com", password_hash=hashed()))
        async with await psycopg.AsyncConnection.connect(plain(url)) as other:
            await other.execute("UPDATE users SET password_hash = %s", [new])
            waiting = [asyncio.create_task(sign_in(client, "ada@example.com")) for _ in range(sign_ins)]
            await until_blocked(url, sign_ins)
        yield [response.status_code for response in await asyncio.gather(*waiting)]


async def test_sign_ins_at_once_that_all_replace_the_hash_all_succeed(live_url: URL) -> None:
    rehashed = PasswordHasher(time_cost=3, memory_cost=8, parallelism=1).hash(PASSWORD)

    async with meeting_a_new_hash(live_url, rehashed, sign_ins=3, password_time_cost=3) as statuses:
        assert statuses == [200, 200, 200]
        assert ask(live_url, "SELECT password_hash FROM users") == [(rehashed,)]


@pytest.mark.parametrize("time_cost", [1, 3])
async def test_a_password_that_changes_while_a_sign_in_waits_for_the_account_refuses_it(
    live_url: URL, time_cost: int
) -> None:
    changed = hashed("another quiet harbour")

    async with meeting_a_new_hash(live_url, changed, sign_ins=1, password_time_cost=time_cost) as statuses:
        assert statuses == [401]
        assert ask(live_url, "SELECT count(*) FROM auth_sessions") == [(0,)]
        assert ask(live_url, "SELECT password_hash FROM users") == [(changed,)]


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
    await save(UserFactory(email="grace@example.com", password_hash=hashed()))
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
    grace = UserFactory(email="grace@example.com", password_hash=hashed())
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
