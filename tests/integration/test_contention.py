"""Many requests at once: one winner, and no connection lost whenever a request is cut off."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Coroutine, Generator
from functools import partial
from itertools import cycle, islice
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import URL

from app.api.deps import WriteSession
from tests.support.accounts import USERS
from tests.support.application import client_of, running
from tests.support.database import count
from tests.support.users import new_user
from tests.support.waiting import until_idle

# The same requests a thousand times: the tracer would take more time than they do.
pytestmark = pytest.mark.no_cover


async def test_of_a_thousand_concurrent_creations_of_one_email_one_succeeds(live_url: URL) -> None:
    # A thousand requests share twenty connections and one busy event loop: here they may take as long as they need.
    names = ("pool", "connect", "statement", "lock", "idle_in_transaction")
    patience: dict[str, Any] = {f"db_{name}_timeout": 300 for name in names} | {"request_timeout": 300}
    async with running(live_url, **patience) as app, client_of(app) as client:
        emails = cycle(["ada@example.com", "Ada@Example.com"])
        creations = [client.post(USERS, json={"email": email}) for email in islice(emails, 1000)]
        responses = await asyncio.gather(*creations)

    answers = Counter((response.status_code, response.json().get("code")) for response in responses)
    assert answers == {(201, None): 1, (409, "email_taken"): 999}
    assert count(live_url, "users") == 1


class CutOff(Awaitable[Any]):
    """A coroutine whose task is cancelled when it waits for the `at`-th time; `waits` counts them."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], at: int | None = None) -> None:
        self._coroutine = coroutine
        self._at = at
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._coroutine.__await__()
        resume = partial(next, steps)
        while True:
            try:
                awaited = resume()
            except StopIteration as end:
                return end.value
            if self.waits == self._at:
                self._task().cancel()
            self.waits += 1
            try:
                yield awaited
                resume = partial(next, steps)
            except BaseException as error:  # noqa: BLE001 - it belongs to the coroutine, which may await again
                resume = partial(steps.throw, error)

    @staticmethod
    def _task() -> asyncio.Task[Any]:
        task = asyncio.current_task()
        assert task
        return task


async def cut_off(coroutine: Coroutine[Any, Any, Any], at: int) -> bool:
    """True when the coroutine was cancelled, false when it had ended before."""
    try:
        await CutOff(coroutine, at)
    except asyncio.CancelledError:
        return True
    return False


async def cancelled_requests(client: httpx2.AsyncClient) -> int:
    """Sends reads and writes, forty at a time, each cut off one step later than the one before; how many were."""

    def request(number: int) -> Coroutine[Any, Any, httpx2.Response]:
        kinds = (
            partial(client.get, USERS),
            partial(client.post, USERS, json={"email": f"user{number}@example.com"}),
            partial(client.post, "/write"),
        )
        return kinds[number % 3]()

    for number in range(3):  # the pools' first connections take many steps more
        await request(number)
    whole = [CutOff(request(number)) for number in range(3, 6)]
    for each in whole:
        assert (await each).is_success

    cancelled = 0
    for first in range(6, 2400, 40):
        tasks = [
            asyncio.create_task(cut_off(request(number), at=number // 3 % whole[number % 3].waits))
            for number in range(first, first + 40)
        ]
        cancelled += sum(await asyncio.gather(*tasks))
        if cancelled >= 1000:
            break
    return cancelled


async def test_after_a_thousand_cancelled_requests_no_connection_is_lost(
    live_app: FastAPI, live_client: httpx2.AsyncClient, live_url: URL
) -> None:
    async def lingers(session: WriteSession) -> None:
        session.add(new_user())
        await session.flush()
        await asyncio.sleep(0)

    live_app.add_api_route("/write", lingers, methods=["POST"])
    before = asyncio.all_tasks()
    assert await cancelled_requests(live_client) >= 1000
    # SQLAlchemy gives connections back in tasks of their own, which outlive a cancelled one.
    await asyncio.gather(*asyncio.all_tasks() - before)

    assert [engine.pool.checkedout() for engine in live_app.state.database.engines] == [0, 0]
    await until_idle(live_url)
    assert (await live_client.post(USERS, json={"email": "ada@example.com"})).status_code == 201
    assert (await live_client.get(USERS)).status_code == 200
