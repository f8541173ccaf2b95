"""The database at its limits: slow, locked, used up, silent, absent. Clients get a 503, and none waits for ever."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url

from app.api.deps import ReadConnection, WriteSession
from app.db.session import Database
from tests.conftest import DRIVERS
from tests.support.accounts import USERS
from tests.support.application import client_of, running
from tests.support.database import ask, count, idle_transactions
from tests.support.users import new_user

LIMITS = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "application_name",
    "timezone",
    "jit",
)


def refusal(response: httpx2.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


@asynccontextmanager
async def service(url: URL, **settings: Any) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    async with running(url, **settings) as app, client_of(app) as client:
        yield app, client


async def test_the_server_itself_keeps_the_limits_of_every_session(live_url: URL) -> None:
    limits = {"db_statement_timeout": 7, "db_lock_timeout": 2.5, "db_idle_in_transaction_timeout": 11}
    show = text("SELECT " + ", ".join(f"current_setting('{name}')" for name in LIMITS))
    async with service(live_url, **limits) as (app, _):
        database: Database = app.state.database
        read = await database.reader.first(show)
        async with database.transaction() as session:
            written = (await session.execute(show)).one()

    assert read == written == ("7s", "2500ms", "11s", "postern", "UTC", "off")


async def test_time_is_utc_whatever_the_database_prefers(live_url: URL) -> None:
    """psycopg gives times in the session's zone, and they would cross the wire with its offset."""
    ask(live_url, f"ALTER DATABASE \"{live_url.database}\" SET timezone = 'Asia/Kathmandu'")
    async with service(live_url) as (app, client):
        created = (await client.post(USERS, json={"email": "ada@example.com"})).json()
        listed = (await client.get(USERS)).json()["items"][0]
        shown = text("SELECT current_setting('timezone')")
        assert await app.state.database.reader.first(shown) == ("UTC",)

    times = ["created_at", "updated_at"]
    assert [created[name] for name in times] == [listed[name] for name in times]
    assert all(listed[name].endswith("Z") for name in times)


async def test_a_statement_that_takes_too_long_is_a_503(live_url: URL) -> None:
    async def read(reader: ReadConnection) -> None:
        await reader.all(text("SELECT pg_sleep(60)"))

    async def write(session: WriteSession) -> None:
        session.add(new_user())
        await session.flush()
        await session.execute(text("SELECT pg_sleep(60)"))

    async with service(live_url, db_statement_timeout=0.1) as (app, client):
        app.add_api_route("/slow", read)
        app.add_api_route("/slow", write, methods=["POST"])

        assert refusal(await client.get("/slow")) == (503, "database_timeout")
        assert refusal(await client.post("/slow")) == (503, "database_timeout")
    assert count(live_url, "users") == 0


async def test_a_row_that_somebody_else_has_locked_is_a_503(live_url: URL) -> None:
    async with service(live_url, db_lock_timeout=0.05) as (app, client):
        user = (await client.post(USERS, json={"email": "ada@example.com", "name": "Ada"})).json()
        path = f"{USERS}/{user['id']}"

        async with app.state.database.transaction() as somebody:
            await somebody.execute(text("UPDATE users SET name = 'Grace'"))
            refused = await client.patch(path, json={"name": "Byron"})
            seen = await client.get(path)

        assert refusal(refused) == (503, "database_timeout")
        assert seen.json()["name"] == "Ada"
        assert (await client.get(path)).json()["name"] == "Grace"
        assert (await client.patch(path, json={"name": "Byron"})).status_code == 200


async def test_a_transaction_left_idle_is_ended_by_the_server_and_is_a_503(live_url: URL) -> None:
    async def waits(session: WriteSession) -> None:
        session.add(new_user())
        await session.flush()
        for _ in range(3000):  # some seconds
            if not idle_transactions(live_url):
                break

    async with service(live_url, db_idle_in_transaction_timeout=0.1) as (app, client):
        app.add_api_route("/idle", waits, methods=["POST"])

        assert refusal(await client.post("/idle")) == (503, "database_unavailable")
        assert count(live_url, "users") == 0
        assert (await client.post(USERS, json={"email": "ada@example.com"})).status_code == 201


async def test_a_pool_that_is_used_up_is_a_503_for_its_own_kind_only(live_url: URL) -> None:
    limits = {"db_pool_size": 1, "db_max_overflow": 0, "db_pool_timeout": 0.05}
    async with service(live_url, **limits) as (app, client):
        async with app.state.database.write_engine.connect():
            assert refusal(await client.post(USERS, json={"email": "ada@example.com"})) == (503, "database_unavailable")
            assert (await client.get(USERS)).status_code == 200
        async with app.state.database.read_engine.connect():
            assert refusal(await client.get(USERS)) == (503, "database_unavailable")
            assert (await client.post(USERS, json={"email": "ada@example.com"})).status_code == 201


@contextmanager
def taken_port(*, listening: bool) -> Iterator[int]:
    """A port that refuses connections, or one that accepts them and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) if listening else socket.socket() as taken:
        if not listening:
            taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def leaks(response: httpx2.Response, *words: str) -> list[str]:
    text = response.text.lower()
    return [word for word in (*words, "127.0.0.1", "select", "insert", "asyncpg", "psycopg") if word in text]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nothing_listening_is_a_503_that_tells_nothing(driver: str, method: str) -> None:
    with taken_port(listening=False) as port:
        url = make_url(f"postgresql+{driver}://canaryrole:canaryword@127.0.0.1:{port}/canarybase")
        async with service(url) as (_, client):
            body = {"email": "ada@example.com"} if method == "POST" else None
            response = await client.request(method, USERS, json=body)

    assert refusal(response) == (503, "database_unavailable")
    assert response.headers["retry-after"] == "1"
    assert leaks(response, str(port), "canary", "ada@example.com") == []


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_waits_behind_a_failed_connection_is_answered_at_once(driver: str, method: str) -> None:
    """SQLAlchemy's own pool lets them wait for the whole `db_pool_timeout`, here far more than the test's patience."""
    limits = {"db_pool_size": 1, "db_max_overflow": 0, "db_pool_timeout": 3600}
    with taken_port(listening=False) as port:
        url = make_url(f"postgresql+{driver}://postgres@127.0.0.1:{port}/postern")
        async with service(url, **limits) as (_, client), asyncio.timeout(20):
            body = {"email": "ada@example.com"} if method == "POST" else None
            answers = await asyncio.gather(*(client.request(method, USERS, json=body) for _ in range(20)))

    assert [refusal(answer) for answer in answers] == [(503, "database_unavailable")] * 20


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_server_that_accepts_and_says_nothing_is_a_503(driver: str) -> None:
    with taken_port(listening=True) as port:
        url = make_url(f"postgresql+{driver}://postgres@127.0.0.1:{port}/postern")
        async with service(url, db_connect_timeout=0.1) as (_, client):
            answers = await asyncio.gather(client.get(USERS), client.post(USERS, json={"email": "ada@example.com"}))

    assert [refusal(answer) for answer in answers] == [(503, "database_unavailable")] * 2


@pytest.mark.parametrize("wrong", [{"database": "canarybase"}, {"username": "canaryrole"}], ids=["database", "role"])
async def test_a_wrong_address_is_a_503_that_tells_nothing(live_url: URL, wrong: dict[str, Any]) -> None:
    async with service(live_url.set(**wrong)) as (_, client):
        answers = [await client.get(USERS), await client.post(USERS, json={"email": "ada@example.com"})]

    assert [refusal(answer) for answer in answers] == [(503, "database_unavailable")] * 2
    assert [leaks(answer, "canary", "does not exist") for answer in answers] == [[], []]
