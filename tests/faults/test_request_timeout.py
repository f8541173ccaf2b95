"""A request whose time has passed is given up and answered, whatever it waits for, and nothing is lost by that."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import cycle, islice
from typing import Any

import httpx2
import psutil
import psycopg
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.engine import URL

from app.api.deps import ReadConnection, WriteSession
from tests.support.accounts import USERS
from tests.support.answers import assert_problem
from tests.support.application import client_of, running
from tests.support.callers import ADMIN
from tests.support.database import ask, count, plain
from tests.support.users import new_user
from tests.support.waiting import until_idle

PATIENT: dict[str, Any] = {
    f"db_{name}_timeout": 3600 for name in ("pool", "connect", "statement", "lock", "idle_in_transaction")
}
"""Without the request's own limit these requests would outlast the test."""

FAILS_TO_END = """
    CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_sleep(600);
        {}
    END $$;
    CREATE CONSTRAINT TRIGGER lingers_at_commit AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION linger();
"""
UNTIL_CANCELLED = FAILS_TO_END.format("RETURN NULL;")
UNTIL_THE_LOCK_IS_FREE = FAILS_TO_END.format(
    "EXCEPTION WHEN query_canceled THEN PERFORM pg_advisory_lock_shared(4711); RETURN NULL;"
)


async def read(reader: ReadConnection) -> None:
    await reader.all(text("SELECT pg_sleep(600)"))


async def write(session: WriteSession) -> None:
    session.add(new_user())
    await session.flush()
    await session.execute(text("SELECT pg_sleep(600)"))


async def wait(session: WriteSession) -> None:
    session.add(new_user())
    await session.flush()
    await asyncio.Event().wait()


@asynccontextmanager
async def service(url: URL, seconds: float) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    async with running(url, request_timeout=seconds, **PATIENT) as app, client_of(app) as client, asyncio.timeout(100):
        app.add_api_route("/slow", read)
        app.add_api_route("/slow", write, methods=["POST"])
        app.add_api_route("/waiting", wait, methods=["POST"])
        yield app, client


@contextmanager
def frozen(url: URL) -> Iterator[None]:
    """No session of the database moves in the block."""
    if "TEST_DATABASE_URL" in os.environ:
        pytest.skip("only the processes of a server of our own can be stopped")
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    processes = [psutil.Process(pid) for (pid,) in ask(url, others)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


async def test_two_hundred_requests_out_of_time_are_503s_and_leave_nothing(live_url: URL) -> None:
    async with service(live_url, 0.3) as (app, client):
        kinds = islice(cycle([("GET", "/slow"), ("POST", "/slow"), ("POST", "/waiting")]), 200)
        answers = await asyncio.gather(*(client.request(*kind) for kind in kinds))

        for answer in answers:
            assert_problem(answer, 503, "request_timed_out")
        assert [engine.pool.checkedout() for engine in app.state.database.engines] == [0, 0]
        await until_idle(live_url)
        assert count(live_url, "users") == 0
        assert await app.state.database.reader.all(text("SELECT 1")) == [(1,)]
        async with app.state.database.transaction() as session:
            assert await session.scalar(text("SELECT 1")) == 1


async def test_the_time_that_a_client_takes_to_send_its_body_is_not_the_requests(url: URL) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(3)
        yield b"}"

    async with service(url, 2) as (_, client):
        answer = await client.post(USERS, content=body(), headers={**ADMIN, "Content-Type": "application/json"})

    assert_problem(answer, 422, "validation_failed")


async def test_a_response_that_has_begun_may_take_longer(url: URL) -> None:
    async def stream() -> AsyncIterator[str]:
        yield "first,"
        await asyncio.sleep(3)
        yield "last"

    async with service(url, 2) as (app, client):
        app.add_api_route("/stream", lambda: StreamingResponse(stream()))
        assert (await client.get("/stream")).text == "first,last"


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 201)])
async def test_who_gets_a_connection_that_is_frozen_is_answered_in_time(
    live_url: URL, method: str, status: int
) -> None:
    async with service(live_url, 3) as (_, client):

        async def ask_for(name: str) -> httpx2.Response:
            body = {"email": f"{name}@example.com"} if method == "POST" else None
            return await client.request(method, USERS, json=body)

        assert (await ask_for("first")).status_code == status
        with frozen(live_url):
            answers = await asyncio.gather(*map(ask_for, ("ada", "byron", "grace")))

    unlucky, *others = sorted(answers, key=lambda answer: -answer.status_code)
    assert_problem(unlucky, 503, "request_timed_out")
    assert [other.status_code for other in others] == [status, status]


async def test_a_transaction_whose_connection_froze_is_given_up_in_time(live_url: URL) -> None:
    written = asyncio.Event()

    async def endpoint(session: WriteSession) -> None:
        session.add(new_user())
        await session.flush()
        written.set()
        await asyncio.Event().wait()

    async with service(live_url, 3) as (app, client):
        app.add_api_route("/frozen", endpoint, methods=["POST"])
        request = asyncio.create_task(client.post("/frozen"))
        await written.wait()
        with frozen(live_url):
            answer = await request
        await until_idle(live_url)

    assert_problem(answer, 503, "request_timed_out")
    assert count(live_url, "users") == 0


async def test_a_commit_that_is_given_up_is_undone(live_url: URL) -> None:
    ask(live_url, UNTIL_CANCELLED)
    async with service(live_url, 3) as (_, client):
        answer = await client.post(USERS, json={"email": "ada@example.com"})

    assert_problem(answer, 503, "request_timed_out")
    assert count(live_url, "users") == 0


async def test_of_a_commit_that_goes_on_the_client_is_told_that_nobody_knows(live_url: URL) -> None:
    ask(live_url, UNTIL_THE_LOCK_IS_FREE)
    async with service(live_url, 3) as (_, client):
        with psycopg.connect(plain(live_url)) as somebody:
            somebody.execute("SELECT pg_advisory_lock(4711)")
            answer = await client.post(USERS, json={"email": "ada@example.com"})
        await until_idle(live_url)

    assert_problem(answer, 503, "commit_unknown")
    assert count(live_url, "users") == 1
