"""Many requests wait for one lock; requests for anything else don't wait behind them."""

import asyncio
from typing import Any

import psycopg
from sqlalchemy.engine import URL

from tests.support.accounts import USERS
from tests.support.application import client_of, running
from tests.support.database import plain
from tests.support.waiting import until_blocked

TIMEOUTS = ("db_pool_timeout", "db_connect_timeout", "db_statement_timeout", "db_lock_timeout", "request_timeout")
PATIENCE: dict[str, Any] = dict.fromkeys(TIMEOUTS, 600)
CHANGES = 200


async def test_unrelated_writes_succeed_while_many_changes_wait_for_one_row(live_url: URL) -> None:
    async with running(live_url, **PATIENCE) as app, client_of(app) as client, asyncio.timeout(100):
        user = (await client.post(USERS, json={"email": "ada@example.com"})).json()
        with psycopg.connect(plain(live_url)) as somebody:
            somebody.execute("SELECT FROM users FOR UPDATE")
            names = [{"name": f"Ada {number}"} for number in range(CHANGES)]
            changes = [asyncio.create_task(client.patch(f"{USERS}/{user['id']}", json=name)) for name in names]
            await until_blocked(live_url, 10)

            creations = await asyncio.gather(
                *(client.post(USERS, json={"email": f"user{number}@example.com"}) for number in range(20))
            )
            answered = [change.result().text for change in changes if change.done()]

        assert [creation.status_code for creation in creations] == [201] * 20
        assert answered == []
        assert {change.status_code for change in await asyncio.gather(*changes)} == {200}
