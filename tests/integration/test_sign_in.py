"""Signing in, what it opens, and everything that ends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import psycopg
import pytest
from argon2 import PasswordHasher, extract_parameters
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.product import COMMAND
from app.db.models.user import User
from tests.support.accounts import (
    AUTH,
    ME,
    PASSWORD,
    USERS,
    claims_of,
    configure,
    hashed,
    sign_in,
    tokens_of,
    told,
)
from tests.support.application import client_of, running, storing
from tests.support.callers import Callers, Save, header
from tests.support.database import ask, plain
from tests.support.users import new_user
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
        new_user(email="none@example.com", password_hash=None),
        new_user(email="gone@example.com", password_hash=hashed(), is_active=False),
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
    assert (first["sub"], first["iss"], first["aud"]) == (str(ada.id), COMMAND, COMMAND)
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
    user = new_user(password_hash=hashed(), email_verified_at=None)
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
    user = new_user(email="tpyo@example.com", email_verified_at=None, password_hash=hashed())
    headers = await callers.signed_in(user)
    configure(app, unverified_may="read")
    change = {"email": "typo@example.com", "current_password": PASSWORD}

    response = await visitor.patch(f"{USERS}/{user.id}", json=change, headers=headers)

    assert response.status_code == 200


async def test_where_unconfirmed_accounts_may_do_nothing_a_wrong_password_does_not_tell_that_there_is_one(
    app: FastAPI, visitor: httpx2.AsyncClient, save: Save
) -> None:
    await save(new_user(email="ada@example.com", password_hash=hashed(), email_verified_at=None))
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
        await storing(app)(new_user(email="ada@example.com", password_hash=hashed()))
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
