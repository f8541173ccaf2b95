"""No request sets what isn't its caller's to set: every column of every table is tried on every route with a body."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import Column
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.base import Base
from tests.support.resources import Route, fields, lists, resolved, routes, send, with_json
from tests.support.rows import Rows, every_row
from tests.support.world import World

# Every column on every route is refused alike: the tracer would take more time than it does.
pytestmark = pytest.mark.no_cover


def columns() -> dict[str, Column[Any]]:
    """Every column by name; of those with one name, any."""
    return {column.name: column for table in Base.metadata.tables.values() for column in table.columns}


def value_of(column: Column[Any]) -> Any:
    """Something that would fit into the column and that nobody has there."""
    values: dict[type[Any], Any] = {
        UUID: str(uuid4()),
        bool: column.name == "is_admin",
        datetime: (datetime.now(UTC) + timedelta(days=3)).isoformat(),
        int: 7,
        list: ["users:read"],
        object: {},  # JSON
        bytes: "00" * 32,
        str: "taken@example.org" if column.name == "email" else "taken/over",
    }
    return values.get(column.type.python_type, "7")


async def stored(connection: AsyncConnection) -> Rows:
    return await every_row(connection, without=("audit_events", "rate_windows"))


@pytest.mark.parametrize("route", with_json(), ids=str)
async def test_no_column_can_be_set_but_those_that_are_stated(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, route: Route
) -> None:
    headers = await world.headers_of("owner")
    before = await stored(connection)
    tried = columns().keys() - route.takes.keys()
    refused = set()
    for name in tried:
        response = await send(visitor, world, route, headers, **route.body(world, **{name: value_of(columns()[name])}))
        if response.status_code == 422 and [name] == [fault["loc"][-1] for fault in response.json()["errors"]]:
            refused.add(name)

    assert refused == tried
    assert await stored(connection) == before


@pytest.mark.parametrize("field", ["id", "is_admin", "version", "versions", "__class__", "_id", "Name"])
async def test_a_name_that_no_model_has_is_refused_too(world: World, visitor: httpx2.AsyncClient, field: str) -> None:
    headers = await world.headers_of("owner")
    for route in with_json():
        response = await send(visitor, world, route, headers, **route.body(world, **{field: "x"}))
        assert (response.status_code, response.json()["code"]) == (422, "validation_failed")


@pytest.mark.parametrize("route", [each for each in with_json() if each.method in ("PATCH", "PUT")], ids=str)
async def test_a_change_with_every_field_it_takes_touches_nothing_else(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, route: Route
) -> None:
    headers = await world.headers_of("owner")
    before = await stored(connection)
    sent = {name: field for name, field in route.takes.items() if field.by == "owner" and not field.refused}
    beside = {name: value for field in sent.values() for name, value in field.beside.items()}
    body = beside | resolved({name: field.value for name, field in sent.items()}, world)

    response = await send(visitor, world, route, headers, **route.body(world, **body))

    assert response.status_code == 200, response.text
    after = await stored(connection)
    changed = {
        name for row in before.keys() & after.keys() for name in before[row] if before[row][name] != after[row][name]
    }
    of_their_own = {name for name, field in sent.items() if not (field.becomes or field.check)}
    assert changed - {"updated_at"} == of_their_own | route.touches


@pytest.mark.parametrize(("route", "name"), fields(by="admin"), ids=str)
async def test_a_field_that_is_for_administrators_is_forbidden_to_others(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, route: Route, name: str
) -> None:
    field = route.takes[name]
    headers = await world.headers_of("owner")
    before = await stored(connection)
    body = resolved({**field.beside, name: field.value}, world)

    response = await send(visitor, world, route, headers, **route.body(world, **body))

    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert await stored(connection) == before


@pytest.mark.parametrize("route", [each for each in routes() if each.form], ids=str)
async def test_a_form_ignores_what_it_doesnt_know(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, route: Route
) -> None:
    before = await stored(connection)
    foreign = {name: str(value_of(column)) for name, column in columns().items() if name not in route.takes}
    foreign |= {"scope": "admin", "client_id": "x", "client_secret": "x"}

    response = await send(visitor, world, route, {}, data={**foreign, **route.good(world)})

    assert response.status_code == 200
    after = await stored(connection)
    assert {row: after[row] for row in before} == before
    for row in after.keys() - before.keys():
        assert not [name for name, value in after[row].items() if foreign.get(name) == str(value)]


@pytest.mark.parametrize("route", lists(), ids=str)
async def test_a_list_refuses_a_parameter_that_it_doesnt_know(
    world: World, visitor: httpx2.AsyncClient, route: Route
) -> None:
    headers = await world.headers_of("admin")
    refused = set()
    tried = columns().keys() | {"offset", "page", "limit[]", "order_by", "include"}
    for name in tried - route.query:
        response = await send(visitor, world, route, headers, params={name: "1"})
        if response.status_code == 422 and response.json()["errors"][0]["loc"] == ["query", name]:
            refused.add(name)

    assert refused == tried - route.query


def test_every_query_parameter_is_described(shared_app: FastAPI) -> None:
    queries = {
        path: {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        for path, methods in shared_app.openapi()["paths"].items()
        for operation in methods.values()
        if any(each["in"] == "query" for each in operation.get("parameters", []))
    }

    assert {route.path: set(route.query) for route in lists()} == queries
