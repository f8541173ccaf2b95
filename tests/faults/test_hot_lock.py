"""Many requests wait for one lock; requests for anything else don't wait behind them."""

import asyncio
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from app.api.deps import WriteSession, WriteTransactions
from tests.support.accounts import USERS
from tests.support.application import client_of, running
from tests.support.database import plain
from tests.support.waiting import until_blocked

TIMEOUTS = ("db_pool_timeout", "db_connect_timeout", "db_statement_timeout", "db_lock_timeout", "request_timeout")
PATIENCE: dict[str, Any] = dict.fromkeys(TIMEOUTS, 600)
CHANGES = 200


async def change(session: WriteSession, transactions: WriteTransactions) -> None:
    """Counts something in a transaction of its own before it changes the row, as limits of attempts do."""
    async with transactions() as another:
        await another.execute(text("SELECT 1"))
    await session.execute(text("SELECT FROM users WHERE email = 'ada@example.com' FOR UPDATE"))


@pytest.mark.parametrize("path", [USERS, "/hot"])
async def test_unrelated_writes_succeed_while_many_changes_wait_for_one_row(live_url: URL, path: str) -> None:
    async with running(live_url, **PATIENCE) as app, client_of(app) as client, asyncio.timeout(100):
        app.add_api_route("/hot/{user_id}", change, methods=["PATCH"])
        user = (await client.post(USERS, json={"email": "ada@example.com"})).json()
        with psycopg.connect(plain(live_url)) as somebody:
            somebody.execute("SELECT FROM users FOR UPDATE")
            names = [{"name": f"Ada {number}"} for number in range(CHANGES)]
            changes = [asyncio.create_task(client.patch(f"{path}/{user['id']}", json=name)) for name in names]
            await until_blocked(live_url, 10)

            creations = await asyncio.gather(
                *(client.post(USERS, json={"email": f"user{number}@example.com"}) for number in range(20))
            )
            answered = [change.result().text for change in changes if change.done()]

        assert [creation.status_code for creation in creations] == [201] * 20
        assert answered == []
        assert {change.status_code for change in await asyncio.gather(*changes)} == {200}
