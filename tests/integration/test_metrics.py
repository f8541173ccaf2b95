"""What Prometheus is told: of requests, pools, the database, and what people do; and who may ask."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import URL, make_url

from tests.support import database
from tests.support.accounts import USERS
from tests.support.application import client_of, running
from tests.support.callers import ADMIN
from tests.support.server import Clone

TOKEN = "an operator's token of more than 32 characters"
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
NOWHERE = make_url("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")

type Value = Callable[..., float]


@pytest.fixture
async def url(template: URL) -> AsyncIterator[URL]:
    async with Clone(template) as url:
        yield url


@pytest.fixture
async def app(url: URL) -> AsyncIterator[FastAPI]:
    async with running(url, operator_token=TOKEN) as app:
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app, headers=ADMIN) as client:
        yield client


async def scraped(client: httpx2.AsyncClient) -> Value:
    """Looks a sample up; 0 for one that isn't there."""
    response = await client.get("/metrics", headers=OPERATOR)
    assert response.status_code == 200
    samples = [sample for family in text_string_to_metric_families(response.text) for sample in family.samples]

    def value(name: str, **labels: Any) -> float:
        wanted = {key: str(label) for key, label in labels.items()}
        return sum(each.value for each in samples if each.name == name and wanted.items() <= each.labels.items())

    return value


async def test_requests_are_counted_by_template_and_status(client: httpx2.AsyncClient) -> None:
    labels = {"http_request_method": "GET", "http_route": f"{USERS}/{{user_id}}", "http_response_status_code": 404}
    before = await scraped(client)
    for number in range(3):
        await client.get(f"{USERS}/01900000-0000-7000-8000-00000000000{number}")

    after = await scraped(client)

    name = "http_server_request_duration_seconds_count"
    assert after(name, **labels) - before(name, **labels) == 3


@pytest.mark.parametrize(
    ("method", "path", "route", "counted_as"),
    [
        ("POST", USERS, USERS, "POST"),
        ("GET", "/there/is/nothing", "", "GET"),
        ("HEAD", "/health/live", "/health/live", "HEAD"),
        ("BREW", USERS, USERS, "_OTHER"),
    ],
)
async def test_a_series_is_never_of_a_clients_making(
    client: httpx2.AsyncClient, method: str, path: str, route: str, counted_as: str
) -> None:
    name, labels = (
        "http_server_request_duration_seconds_count",
        {"http_route": route, "http_request_method": counted_as},
    )
    before = await scraped(client)
    await client.request(method, path)

    assert (await scraped(client))(name, **labels) - before(name, **labels) == 1


async def test_pools_tell_what_is_used_and_how_long_it_took(app: FastAPI, client: httpx2.AsyncClient) -> None:
    pool = {"db_client_connection_pool_name": "write"}
    async with app.state.database.transaction() as session:
        await session.connection()
        within = await scraped(client)
    after = await scraped(client)

    assert within("db_client_connection_used", **pool) - after("db_client_connection_used", **pool) == 1
    assert after("db_client_connection_pending_requests", **pool) == 0
    assert after("db_client_connection_wait_time_seconds_count", **pool) > 0


async def test_reads_tell_how_many_one_query_answered(client: httpx2.AsyncClient) -> None:
    before = await scraped(client)
    await client.get(f"{USERS}/01900000-0000-7000-8000-000000000001")
    after = await scraped(client)

    assert after("shared_read_batch_size_sum") - before("shared_read_batch_size_sum") == 1


async def test_sign_ins_are_counted(client: httpx2.AsyncClient) -> None:
    before = await scraped(client)
    await client.post("/api/v1/auth/token", data={"username": "a@example.com", "password": "a wrong password"})
    after = await scraped(client)

    assert after("sign_ins_total", outcome="refused") - before("sign_ins_total", outcome="refused") == 1


async def test_the_audit_log_tells_how_much_was_written(url: URL) -> None:
    async with running(url) as app, client_of(app) as client:
        assert (await client.post(USERS, json={"email": "b@example.com"})).status_code == 201
    [(rows,)] = database.ask(url, "SELECT count(*) FROM audit_events")  # sessions that end bring statistics up to date

    async with running(url, operator_token=TOKEN) as app, client_of(app) as client:
        assert (await scraped(client))("audit_events_total") == rows > 0


async def test_errors_of_the_database_are_counted_and_metrics_do_without_it() -> None:
    async with running(NOWHERE, operator_token=TOKEN) as app, client_of(app, headers=OPERATOR) as client:
        before = await scraped(client)
        assert (await client.get(USERS, headers={"Authorization": ""})).status_code == 503
        after = await scraped(client)

    code = {"code": "database_unavailable"}
    assert after("database_errors_total", **code) - before("database_errors_total", **code) >= 1


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer something"}, ADMIN])
async def test_only_operators_see_metrics(client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.get("/metrics", headers={"Authorization": "", **headers})

    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
