"""Through PgBouncer in transaction mode: a session of the server serves another client with each transaction."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import URL

from tests.ha.programs import pgbouncer
from tests.resources.posts import POSTS
from tests.support import database
from tests.support.accounts import AUTH, PASSWORD, USERS
from tests.support.application import client_of, running

pytestmark = pytest.mark.ha

AUTHORS = 10
POSTS_EACH = 20
CONNECTIONS = 3  # of the server, for all


@pytest.fixture
async def app(url: URL) -> AsyncIterator[FastAPI]:
    with pgbouncer(url, connections=CONNECTIONS) as pooled:
        async with running(pooled, db_prepared_statements=False) as app:
            yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app, headers={}) as client:
        yield client


async def signed_in(client: httpx2.AsyncClient, email: str) -> dict[str, str]:
    form = {"username": email, "password": PASSWORD}
    token = (await client.post(f"{AUTH}/token", data=form)).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


async def test_everybody_is_on_record_for_their_own_changes_and_no_others(client: httpx2.AsyncClient, url: URL) -> None:
    emails = [f"author{number}@example.com" for number in range(AUTHORS)]
    for email in emails:
        assert (await client.post(USERS, json={"email": email, "password": PASSWORD})).status_code == 201
    headers = [await signed_in(client, email) for email in emails]

    async def write(number: int, author: int) -> None:
        new = {"title": f"{number} of {author}", "body": "Text.", "draft": number % 2 == 0}
        made = (await client.post(POSTS, json=new, headers=headers[author])).json()
        assert made["title"] == new["title"]
        path = f"{POSTS}/{made['id']}"
        assert (await client.patch(path, json={"body": "More."}, headers=headers[author])).status_code == 200
        assert (await client.get(path, headers=headers[author])).json()["body"] == "More."
        if number % 5 == 0:
            assert (await client.delete(path, headers=headers[author])).status_code == 204

    await asyncio.gather(*(write(number, author) for number in range(POSTS_EACH) for author in range(AUTHORS)))

    wrong = database.ask(
        url,
        "SELECT count(*) FROM audit_events e JOIN posts p ON p.id = e.entity_id "
        "WHERE e.actor_id IS DISTINCT FROM p.author_id",
    )
    told = database.ask(url, "SELECT action, count(*) FROM audit_events WHERE entity = 'post' GROUP BY 1 ORDER BY 1")
    posts = AUTHORS * POSTS_EACH
    assert wrong == [(0,)]
    assert told == [("post.created", posts), ("post.deleted", posts // 5), ("post.updated", posts)]


async def test_the_service_is_ready(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/health/ready")).json() == {"status": "ready", "reasons": []}


async def test_a_list_and_single_reads_at_once(client: httpx2.AsyncClient) -> None:
    reads = [client.get(path) for path in (POSTS, USERS, f"{USERS}/01900000-0000-7000-8000-000000000001") * 50]
    statuses = [response.status_code for response in await asyncio.gather(*reads)]

    assert statuses == [200, 200, 404] * 50
