"""Liveness and readiness: what they say, to whom, and how often they ask the database."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url

from app.core import stopping
from tests.support import database
from tests.support.application import client_of, offline, running
from tests.support.server import Clone

TOKEN = "an operator's token of more than 32 characters"
NOWHERE = make_url("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def url(template: URL) -> AsyncIterator[URL]:
    async with Clone(template) as url:
        yield url


async def readiness(url: URL, **settings: object) -> tuple[int, object]:
    async with running(url, **settings) as app, client_of(app, headers=OPERATOR) as client:
        response = await client.get("/health/ready")
        return response.status_code, response.json()


async def test_a_process_that_can_do_all_its_work_is_ready(url: URL) -> None:
    assert await readiness(url) == (200, {"status": "ready", "reasons": []})


async def test_a_database_that_takes_no_writes_makes_it_not_ready(url: URL) -> None:
    database.ask(url, f'ALTER DATABASE "{url.database}" SET default_transaction_read_only = on')

    assert await readiness(url) == (503, {"status": "not_ready", "reasons": ["database_read_only"]})


@pytest.mark.parametrize(
    "statement", ["DROP TABLE alembic_version", "UPDATE alembic_version SET version_num = '3c32f22b34d4'"]
)
async def test_a_schema_that_is_too_old_makes_it_not_ready(url: URL, statement: str) -> None:
    database.ask(url, statement)

    assert await readiness(url) == (503, {"status": "not_ready", "reasons": ["migration_missing"]})


async def test_a_schema_of_newer_code_is_no_fault(url: URL) -> None:
    database.ask(url, "UPDATE alembic_version SET version_num = 'ffffffffffff'")

    assert await readiness(url) == (200, {"status": "ready", "reasons": []})


async def test_a_database_that_is_away_makes_it_not_ready_and_not_dead() -> None:
    async with running(NOWHERE) as app, client_of(app) as client:
        response = await client.get("/health/ready")

        assert (response.status_code, response.json()["reasons"]) == (503, ["database_unreachable"])
        assert (await client.get("/health/live")).json() == {"status": "alive"}


async def test_one_query_a_second_answers_all_who_ask(url: URL) -> None:
    async with running(url) as app, client_of(app) as client:
        asked: list[str] = []
        engine = app.state.database.probe_engine.sync_engine
        event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

        for _ in range(20):
            assert (await client.get("/health/ready")).status_code == 200

    assert sum("pg_is_in_recovery" in statement for statement in asked) <= 2  # the second may begin in between


async def test_it_answers_when_every_connection_of_requests_is_taken(url: URL) -> None:
    async with (
        running(url, db_pool_size=1, db_max_overflow=0) as app,
        client_of(app) as client,
        app.state.database.read_engine.connect(),
        app.state.database.write_engine.connect(),
    ):
        assert (await client.get("/health/ready")).status_code == 200


async def test_a_process_that_stops_is_not_ready(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_has_begun", True)

    assert await readiness(url) == (503, {"status": "not_ready", "reasons": ["stopping"]})


@pytest.mark.parametrize(
    ("headers", "shown"),
    [(OPERATOR, True), ({}, False), ({"Authorization": "Bearer of nothing"}, False), ({"Authorization": TOKEN}, False)],
)
async def test_reasons_are_for_operators(headers: dict[str, str], shown: bool) -> None:
    async with running(NOWHERE, operator_token=TOKEN) as app, client_of(app, headers=headers) as client:
        assert ("reasons" in (await client.get("/health/ready")).json()) is shown


async def test_probes_may_name_any_host(url: URL) -> None:
    async with running(url, allowed_hosts=("blog.example.org",)) as app, client_of(app) as client:
        assert (await client.get("/health/live", headers={"Host": "10.0.0.7:8000"})).status_code == 200
        assert (await client.get("/docs", headers={"Host": "10.0.0.7:8000"})).status_code == 421


async def test_liveness_needs_no_database() -> None:
    async with client_of(offline()) as client:
        assert (await client.get("/health/live")).status_code == 200
