"""What a client was told is what is stored: COMMIT comes before the response, and no failure leaves half a write."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.deps import WriteSession, get_db
from app.core.errors import EmailTaken
from tests.support.accounts import USERS
from tests.support.application import client_of, storing
from tests.support.callers import Callers
from tests.support.database import ask, count, open_writes, terminate_transactions
from tests.support.resources import Route, changes, make_world, send
from tests.support.users import new_user
from tests.support.waiting import until_idle
from tests.support.world import World


async def mutate(app: FastAPI, client: httpx2.AsyncClient, route: Route) -> httpx2.Response:
    """Sends the route's good request as the owner of what it is about."""
    save = storing(app)
    world = await make_world(World(save, Callers(app, save)))
    return await send(client, world, route, {**await world.headers_of("owner"), "X-Observe": "yes"})


def observed(app: FastAPI, url: URL) -> tuple[ASGIApp, list[str]]:
    """The application, and the order of what it does for requests with the header X-Observe."""
    order: list[str] = []
    watching = False

    @event.listens_for(app.state.database.write_engine.sync_engine, "commit")
    def on_commit(_: object) -> None:
        if watching:
            order.append("COMMIT")

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal watching
        watching = (b"x-observe", b"yes") in scope["headers"]

        async def observed_send(message: Message) -> None:
            if watching and message["type"] == "http.response.start":
                order.append(f"first byte of a {message['status']}, {open_writes(url)} open")
            await send(message)

        await app(scope, receive, observed_send)

    return asgi, order


def post_route(app: FastAPI, endpoint: Callable[..., Any], **options: Any) -> None:
    app.add_api_route("/write", endpoint, methods=["POST"], **options)


async def insert_user(session: AsyncSession) -> None:
    session.add(new_user())
    await session.flush()


@pytest.mark.parametrize("route", [each for each in changes() if not each.answers_first], ids=str)
async def test_a_write_is_committed_before_the_first_byte_of_the_response(
    live_app: FastAPI, live_url: URL, route: Route
) -> None:
    asgi, order = observed(live_app, live_url)
    async with client_of(asgi) as client:
        response = await mutate(live_app, client, route)

    assert order == ["COMMIT", f"first byte of a {response.status_code}, 0 open"]
    assert response.is_success


@pytest.mark.parametrize("route", [each for each in changes() if each.answers_first], ids=str)
async def test_a_mail_that_nobody_may_know_of_is_prepared_after_the_response(
    live_app: FastAPI, live_url: URL, route: Route
) -> None:
    asgi, order = observed(live_app, live_url)
    async with client_of(asgi) as client:
        await mutate(live_app, client, route)

    assert order[0] == "first byte of a 202, 0 open"


async def test_with_the_default_scope_the_response_would_leave_first(live_app: FastAPI, live_url: URL) -> None:
    async def endpoint(session: Annotated[AsyncSession, Depends(get_db)]) -> None:
        await insert_user(session)

    post_route(live_app, endpoint, status_code=201)
    asgi, order = observed(live_app, live_url)
    async with client_of(asgi) as client:
        await client.post("/write", headers={"X-Observe": "yes"})

    assert order == ["first byte of a 201, 1 open", "COMMIT"]


async def test_a_refused_write_is_not_committed(live_app: FastAPI, live_url: URL) -> None:
    asgi, order = observed(live_app, live_url)
    async with client_of(asgi) as client:
        await client.post(USERS, json={"email": "ada@example.com"})
        await client.post(USERS, json={"email": "ada@example.com"}, headers={"X-Observe": "yes"})

    assert order == ["first byte of a 409, 0 open"]


DEFERRED_UNIQUE = "ALTER TABLE users ADD CONSTRAINT one_name UNIQUE (name) DEFERRABLE INITIALLY DEFERRED"
FAILS_AT_COMMIT = """
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the canary' USING ERRCODE = '{}'; END $$;
    CREATE CONSTRAINT TRIGGER fails_at_commit AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail();
"""


@pytest.mark.parametrize(
    ("obstacle", "status", "code"),
    [
        pytest.param(DEFERRED_UNIQUE, 409, "conflict", id="deferred-constraint"),
        pytest.param(FAILS_AT_COMMIT.format("40001"), 503, "write_conflict", id="serialization-failure"),
        pytest.param(FAILS_AT_COMMIT.format("40P01"), 503, "write_conflict", id="deadlock"),
        pytest.param(FAILS_AT_COMMIT.format("57014"), 503, "database_timeout", id="timeout"),
        pytest.param(FAILS_AT_COMMIT.format("53100"), 503, "database_unavailable", id="disk-full"),
        pytest.param(FAILS_AT_COMMIT.format("P0001"), 500, "internal_error", id="unknown"),
    ],
)
async def test_a_commit_that_fails_is_no_success(
    live_client: httpx2.AsyncClient, live_url: URL, obstacle: str, status: int, code: str
) -> None:
    await live_client.post(USERS, json={"email": "ada@example.com", "name": "Ada"})
    ask(live_url, obstacle)

    response = await live_client.post(USERS, json={"email": "byron@example.com", "name": "Ada"})

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert "canary" not in response.text
    assert count(live_url, "users") == 1


async def test_a_session_that_dies_before_its_commit_is_no_success(
    live_app: FastAPI, live_client: httpx2.AsyncClient, live_url: URL
) -> None:
    terminated = []

    @event.listens_for(live_app.state.database.write_engine.sync_engine, "commit", once=True)
    def before_commit(_: object) -> None:
        terminated.append(terminate_transactions(live_url))

    response = await live_client.post(USERS, json={"email": "ada@example.com"})

    assert terminated == [1]
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert count(live_url, "users") == 0
    assert (await live_client.post(USERS, json={"email": "ada@example.com"})).status_code == 201


async def succeeds(session: WriteSession) -> int:
    await insert_user(session)
    return 1


async def raises(session: WriteSession) -> int:
    await insert_user(session)
    raise RuntimeError("the canary")


async def raises_domain_error(session: WriteSession) -> int:
    await insert_user(session)
    raise EmailTaken


async def returns_what_its_model_refuses(session: WriteSession) -> int:
    await insert_user(session)
    return "the canary"  # type: ignore[return-value]  # what the framework has to refuse


@pytest.mark.parametrize(
    ("endpoint", "status", "stored"),
    [(succeeds, 200, 1), (raises, 500, 0), (raises_domain_error, 409, 0), (returns_what_its_model_refuses, 500, 0)],
)
async def test_an_error_after_the_write_undoes_it(
    live_app: FastAPI,
    live_client: httpx2.AsyncClient,
    live_url: URL,
    endpoint: Callable[..., Awaitable[int]],
    status: int,
    stored: int,
) -> None:
    post_route(live_app, endpoint)

    response = await live_client.post("/write")

    assert response.status_code == status
    assert "canary" not in response.text
    assert count(live_url, "users") == stored


async def test_a_request_cancelled_after_its_write_undoes_it(
    live_app: FastAPI, live_client: httpx2.AsyncClient, live_url: URL
) -> None:
    written = asyncio.Event()

    async def waits_for_ever(session: WriteSession) -> None:
        await insert_user(session)
        written.set()
        await asyncio.Event().wait()

    post_route(live_app, waits_for_ever)
    task = asyncio.create_task(live_client.post("/write"))
    await written.wait()
    assert open_writes(live_url) == 1

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await until_idle(live_url)
    assert count(live_url, "users") == 0
    assert live_app.state.database.write_engine.pool.checkedout() == 0
