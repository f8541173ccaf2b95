"""API keys: how many, how their use is noted, and what is told of them."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.identity import Scope
from app.core.security import digest
from app.db.models.api_key import ApiKey
from app.db.models.user import User
from app.db.session import Database
from tests.support.accounts import ME, PASSWORD, USERS, hashed, tokens_of
from tests.support.application import client_of, storing
from tests.support.callers import Callers, Headers, Save, header
from tests.support.database import ask, plain
from tests.support.keys import KEYS, made, set_key
from tests.support.statements import recorded
from tests.support.users import new_user
from tests.support.waiting import until_blocked

ONE_MORE = {"name": "one more", "scopes": ["users:read"], "current_password": PASSWORD}


async def test_nobody_holds_more_than_a_hundred_keys(
    visitor: httpx2.AsyncClient, owner: Headers, save: Save, ada: User
) -> None:
    await save(
        *(
            ApiKey(user_id=ada.id, name=f"{n}", prefix="postern_", key_hash=digest(f"{n}"), scopes=["users:read"])
            for n in range(99)
        )
    )
    last = await made(visitor, owner)

    refused = await visitor.post(KEYS, json=ONE_MORE, headers=owner)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_api_keys")
    assert len((await visitor.get(KEYS, headers=owner)).json()) == 100

    await visitor.delete(f"{KEYS}/{last['id']}", headers=owner)
    await made(visitor, owner)


async def test_of_two_keys_at_once_only_one_is_the_hundredth(live_app: FastAPI, live_url: URL) -> None:
    async with client_of(live_app, headers={}) as visitor:
        ada = new_user(email="ada@example.com", password_hash=hashed())
        await storing(live_app)(ada)
        owner = header((await tokens_of(visitor, ada.email))["access_token"])
        ask(
            live_url,
            "INSERT INTO api_keys (id, user_id, name, prefix, key_hash, scopes) "
            "SELECT gen_random_uuid(), %s, n::text, 'postern_', n::text::bytea, '{users:read}' "
            "FROM generate_series(1, 99) n",
            ada.id,
        )

        responses = await asyncio.gather(*(visitor.post(KEYS, json=ONE_MORE, headers=owner) for _ in range(5)))

    assert sorted(response.status_code for response in responses) == [201, 409, 409, 409, 409]


def writes(statements: list[str]) -> list[str]:
    return [statement for statement in statements if statement.startswith("UPDATE api_keys")]


async def test_the_last_use_of_a_key_is_written_once_a_minute(
    visitor: httpx2.AsyncClient,
    callers: Callers,
    ada: User,
    owner: Headers,
    connection: AsyncConnection,
    shared_database: Database,
) -> None:
    key = await callers.with_key(ada, Scope.USERS_READ)

    with recorded(shared_database.write_engine) as first:
        await visitor.get(ME, headers=key)
    with recorded(shared_database.write_engine) as within_the_minute:
        await visitor.get(ME, headers=key)
        await set_key(connection, "last_used_at = last_used_at - interval '50 seconds' -- not ours")
        await visitor.get(ME, headers=key)
    await set_key(connection, "last_used_at = last_used_at - interval '10 seconds'")
    with recorded(shared_database.write_engine) as after_it:
        await visitor.get(ME, headers=key)

    ours = [each for each in within_the_minute if "not ours" not in each]
    assert [len(writes(each)) for each in (first, ours, after_it)] == [1, 0, 1]
    (listed,) = (await visitor.get(KEYS, headers=owner)).json()
    assert abs(datetime.fromisoformat(listed["last_used_at"]) - datetime.now(UTC)) < timedelta(minutes=5)


async def test_a_use_is_written_even_when_the_request_fails(
    visitor: httpx2.AsyncClient, callers: Callers, ada: User, connection: AsyncConnection
) -> None:
    key = await callers.with_key(ada, Scope.USERS_READ)

    response = await visitor.delete(f"{USERS}/{ada.id}", headers=key)

    assert response.status_code == 403
    assert await connection.scalar(text("SELECT last_used_at FROM api_keys"))


async def test_requests_at_once_by_a_key_unused_for_long_write_its_use_once(live_app: FastAPI, live_url: URL) -> None:
    ask(live_url, "CREATE TABLE written (at timestamptz DEFAULT clock_timestamp())")
    ask(
        live_url,
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO written DEFAULT VALUES; RETURN NULL; END $$",
    )
    ask(live_url, "CREATE TRIGGER note AFTER UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION note()")

    key = await Callers(live_app, storing(live_app)).with_key(new_user(), Scope.USERS_READ)
    async with client_of(live_app, headers=key) as client:
        async with await psycopg.AsyncConnection.connect(plain(live_url)) as other:
            await other.execute("SELECT 1 FROM api_keys FOR UPDATE")
            asking = [asyncio.create_task(client.get(ME)) for _ in range(8)]
            await until_blocked(live_url, 8)
        responses = await asyncio.gather(*asking)

    assert [response.status_code for response in responses] == [200] * 8
    assert ask(live_url, "SELECT count(*) FROM written") == [(1,)]


async def test_nothing_of_a_key_stands_in_the_audit_log_or_the_log(
    visitor: httpx2.AsyncClient, owner: Headers, connection: AsyncConnection, caplog: pytest.LogCaptureFixture
) -> None:
    key = await made(visitor, owner, "users:read")
    await visitor.get(ME, headers=header(key["key"]))
    await visitor.delete(f"{KEYS}/{key['id']}", headers=owner)

    events = (await connection.execute(text("SELECT action, changes::text FROM audit_events"))).all()

    assert {"api_key.created", "api_key.updated"} <= {event.action for event in events}
    secret = key["key"].removeprefix(key["prefix"])
    told_of = "".join(event.changes for event in events) + caplog.text
    assert "/api/v1/auth/api-keys" in told_of
    assert secret not in told_of
    assert digest(key["key"]).hex() not in told_of
