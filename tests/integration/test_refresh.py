"""Refresh tokens: each is good once, its return ends the family, and a lost answer can be asked for again."""

import asyncio

import httpx2
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.security import digest
from app.db.models.user import User
from tests.support.accounts import (
    AUTH,
    PASSWORD,
    Tokens,
    claims_of,
    configure,
    hashed,
    is_locked_out,
    opens,
    refresh,
    tokens_of,
    told,
)
from tests.support.application import OTHER_SECRET, SECRET, storing
from tests.support.callers import header
from tests.support.database import ask, plain
from tests.support.users import new_user
from tests.support.waiting import until_blocked


@pytest.fixture
async def live_tokens(live_app: FastAPI, live_visitor: httpx2.AsyncClient) -> Tokens:
    await storing(live_app)(new_user(email="ada@example.com", password_hash=hashed()))
    return await tokens_of(live_visitor, "ada@example.com")


async def refreshed(client: httpx2.AsyncClient, tokens: Tokens) -> Tokens:
    response = await refresh(client, tokens["refresh_token"])
    assert response.status_code == 200, response.text
    return dict(response.json())


async def age(connection: AsyncConnection, seconds: float) -> None:
    """Lets time pass since every token was spent."""
    await connection.execute(
        text("UPDATE refresh_tokens SET spent_at = spent_at - make_interval(secs => :seconds)"), {"seconds": seconds}
    )


async def test_a_refresh_gives_new_tokens_of_the_same_session(visitor: httpx2.AsyncClient, tokens: Tokens) -> None:
    new = await refreshed(visitor, tokens)

    assert new.keys() == tokens.keys()
    assert new["refresh_token"] != tokens["refresh_token"]
    assert claims_of(new)["jti"] != claims_of(tokens)["jti"]
    assert claims_of(new)["sid"] == claims_of(tokens)["sid"]
    assert await opens(visitor, new)
    assert await opens(visitor, tokens)  # until it expires: the session goes on


async def test_a_session_goes_on_through_many_refreshes(visitor: httpx2.AsyncClient, tokens: Tokens) -> None:
    seen = {tokens["refresh_token"]}
    for _ in range(10):
        tokens = await refreshed(visitor, tokens)
        seen.add(tokens["refresh_token"])

    assert len(seen) == 11
    assert await opens(visitor, tokens)


async def test_a_refresh_does_not_prolong_the_session(
    visitor: httpx2.AsyncClient, tokens: Tokens, connection: AsyncConnection
) -> None:
    before = await connection.scalar(text("SELECT expires_at FROM auth_sessions"))

    await refreshed(visitor, tokens)

    assert await connection.scalar(text("SELECT expires_at FROM auth_sessions")) == before


async def test_a_client_that_lost_the_answer_gets_the_same_successor(
    visitor: httpx2.AsyncClient, tokens: Tokens
) -> None:
    lost = await refreshed(visitor, tokens)

    again = await refreshed(visitor, tokens)

    assert again["refresh_token"] == lost["refresh_token"]
    assert await opens(visitor, again)
    assert await opens(visitor, await refreshed(visitor, again))


async def test_a_spent_token_that_comes_back_a_second_time_ends_the_family(
    visitor: httpx2.AsyncClient, tokens: Tokens
) -> None:
    successor = await refreshed(visitor, tokens)
    await refreshed(visitor, tokens)

    reuse = await refresh(visitor, tokens["refresh_token"])

    assert (reuse.status_code, reuse.json()["code"]) == (401, "refresh_refused")
    assert not await opens(visitor, tokens)
    assert await is_locked_out(visitor, successor)


async def test_a_spent_token_that_comes_back_within_ten_seconds_is_forgiven(
    visitor: httpx2.AsyncClient, tokens: Tokens, connection: AsyncConnection
) -> None:
    successor = await refreshed(visitor, tokens)
    await age(connection, 5)

    assert (await refreshed(visitor, tokens))["refresh_token"] == successor["refresh_token"]


async def test_a_spent_token_that_comes_back_after_ten_seconds_ends_the_family(
    visitor: httpx2.AsyncClient, tokens: Tokens, connection: AsyncConnection
) -> None:
    successor = await refreshed(visitor, tokens)
    await age(connection, 10)

    reuse = await refresh(visitor, tokens["refresh_token"])

    assert reuse.status_code == 401
    assert await is_locked_out(visitor, successor)


async def test_a_spent_token_whose_successor_is_spent_ends_the_family_at_once(
    visitor: httpx2.AsyncClient, tokens: Tokens
) -> None:
    successor = await refreshed(visitor, tokens)
    newest = await refreshed(visitor, successor)

    reuse = await refresh(visitor, tokens["refresh_token"])

    assert reuse.status_code == 401
    assert await is_locked_out(visitor, newest)


async def test_an_ended_family_takes_no_other_session_of_the_account_with_it(
    visitor: httpx2.AsyncClient, tokens: Tokens, ada: User, connection: AsyncConnection
) -> None:
    elsewhere = await tokens_of(visitor, ada.email)
    await refreshed(visitor, tokens)
    await age(connection, 11)
    await refresh(visitor, tokens["refresh_token"])

    assert not await opens(visitor, tokens)
    assert await opens(visitor, await refreshed(visitor, elsewhere))


async def test_that_a_reuse_ended_the_family_is_committed_although_the_answer_is_a_401(
    live_visitor: httpx2.AsyncClient, live_tokens: Tokens, live_url: URL
) -> None:
    successor = await refreshed(live_visitor, live_tokens)
    ask(live_url, "UPDATE refresh_tokens SET spent_at = spent_at - interval '11 seconds'")

    reuse = await refresh(live_visitor, live_tokens["refresh_token"])

    assert reuse.status_code == 401
    assert ask(live_url, "SELECT count(*) FROM auth_sessions WHERE ended_at IS NOT NULL") == [(1,)]
    assert await is_locked_out(live_visitor, successor)


async def at_once(client: httpx2.AsyncClient, url: URL, tokens: Tokens, times: int) -> list[httpx2.Response]:
    """As many refreshes by one token, all of which wait for the session before the first goes on."""
    async with await psycopg.AsyncConnection.connect(plain(url)) as other:
        await other.execute("SELECT 1 FROM auth_sessions FOR UPDATE")
        waiting = [asyncio.create_task(refresh(client, tokens["refresh_token"])) for _ in range(times)]
        await until_blocked(url, times)
    return await asyncio.gather(*waiting)


async def test_two_refreshes_at_once_both_get_the_one_successor(
    live_visitor: httpx2.AsyncClient, live_tokens: Tokens, live_url: URL
) -> None:
    responses = await at_once(live_visitor, live_url, live_tokens, 2)

    assert [response.status_code for response in responses] == [200, 200]
    (successor,) = {response.json()["refresh_token"] for response in responses}
    unspent = ask(live_url, "SELECT token_hash FROM refresh_tokens WHERE spent_at IS NULL")
    assert [bytes(row[0]) for row in unspent] == [digest(successor)]
    assert ask(live_url, "SELECT count(*) FROM refresh_tokens") == [(2,)]
    assert await opens(live_visitor, await refreshed(live_visitor, responses[0].json()))


async def test_three_refreshes_at_once_end_the_family(
    live_visitor: httpx2.AsyncClient, live_tokens: Tokens, live_url: URL
) -> None:
    responses = await at_once(live_visitor, live_url, live_tokens, 3)

    assert sorted(response.status_code for response in responses) == [200, 200, 401]
    assert await is_locked_out(live_visitor, next(each.json() for each in responses if each.status_code == 200))


async def test_an_unknown_token_is_refused_and_ends_nobodys_session(
    visitor: httpx2.AsyncClient, tokens: Tokens
) -> None:
    garbage = [
        "x",
        "ü" * 20,
        "a\x00b",
        tokens["refresh_token"][:-1],
        f"{tokens['refresh_token']} ",
        tokens["refresh_token"].swapcase(),
        "' OR 1=1 --",
        PASSWORD,
    ]

    refusals = [await refresh(visitor, each) for each in garbage]

    assert told(refusals[0])[:1] == (401,)
    assert told(refusals[0])[1]["code"] == "refresh_refused"
    assert [told(each) for each in refusals] == [told(refusals[0])] * len(garbage)
    assert await opens(visitor, await refreshed(visitor, tokens))


async def test_a_reuse_and_an_unknown_token_get_the_same_answer(
    visitor: httpx2.AsyncClient, tokens: Tokens, connection: AsyncConnection
) -> None:
    await refreshed(visitor, tokens)
    await age(connection, 11)

    assert told(await refresh(visitor, tokens["refresh_token"])) == told(await refresh(visitor, "unknown"))


@pytest.mark.parametrize("token", ["", "x" * 201, None, 1, ["x"]])
async def test_what_cannot_be_a_token_is_a_422_that_does_not_quote_it(
    visitor: httpx2.AsyncClient, token: object
) -> None:
    response = await visitor.post(f"{AUTH}/refresh", json={"refresh_token": token})

    assert response.status_code == 422
    assert "xxx" not in response.text


async def test_no_token_password_or_key_is_stored_as_it_is(
    live_visitor: httpx2.AsyncClient, live_tokens: Tokens, live_url: URL
) -> None:
    successor = await refreshed(live_visitor, live_tokens)
    new_key = {"name": "deploy script", "scopes": ["users:read"], "current_password": PASSWORD}
    key = await live_visitor.post(f"{AUTH}/api-keys", json=new_key, headers=header(successor["access_token"]))
    secrets = [PASSWORD, key.json()["key"]]
    secrets += [pair[kind] for pair in (live_tokens, successor) for kind in ("access_token", "refresh_token")]

    assert found_in_the_database(live_url, "ada@example.com")
    assert [secret for secret in secrets if found_in_the_database(live_url, secret)] == []


def found_in_the_database(url: URL, secret: str) -> list[tuple[str, str]]:
    """The columns, of whichever type, in which this text stands."""
    columns = ask(url, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'")
    clear, coded = f"%{secret}%", f"%{secret.encode().hex()}%"  # the text form of a bytea is its hex
    return [
        (table, column)
        for table, column in columns
        if ask(url, f'SELECT 1 FROM "{table}" WHERE "{column}"::text LIKE %s OR "{column}"::text LIKE %s', clear, coded)
    ]


async def test_a_lost_answer_can_be_asked_for_again_though_the_key_has_changed_meanwhile(
    app: FastAPI, visitor: httpx2.AsyncClient, ada: User
) -> None:
    configure(app, secret_keys={"old": SECRET})
    tokens = await tokens_of(visitor, ada.email)
    lost = await refreshed(visitor, tokens)

    configure(app, secret_keys={"new": OTHER_SECRET, "old": SECRET})
    again = await refreshed(visitor, tokens)

    assert again["refresh_token"] == lost["refresh_token"]
    assert await opens(visitor, await refreshed(visitor, again))


async def test_a_session_goes_on_after_the_key_is_gone_that_its_token_was_derived_by(
    app: FastAPI, visitor: httpx2.AsyncClient, ada: User
) -> None:
    configure(app, secret_keys={"old": SECRET})
    tokens = await refreshed(visitor, await tokens_of(visitor, ada.email))

    configure(app, secret_keys={"new": OTHER_SECRET})

    assert await opens(visitor, await refreshed(visitor, tokens))
