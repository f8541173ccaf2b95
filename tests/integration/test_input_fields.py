"""No input field gets lost: each is sent with a value of its own, and what becomes of it has to be seen."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.support.database import undone
from tests.support.resources import Route, fields, resolved, routes, send, with_json
from tests.support.rows import every_row, new_or_changed
from tests.support.world import World


def properties(app: FastAPI, route: Route) -> set[str]:
    """The fields of the route's JSON body, as the contract has them."""
    contract = app.openapi()
    content = contract["paths"][route.path][route.method.lower()]["requestBody"]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return set(contract["components"]["schemas"][name]["properties"])


def test_every_route_with_a_body_says_so(shared_app: FastAPI) -> None:
    with_body = {
        (method.upper(), path)
        for path, methods in shared_app.openapi()["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    }

    assert {route.key for route in routes() if route.takes} == with_body


@pytest.mark.parametrize("route", with_json(), ids=str)
def test_every_field_of_a_body_is_described(shared_app: FastAPI, route: Route) -> None:
    taken = properties(shared_app, route)

    missing, gone = taken - route.takes.keys(), route.takes.keys() - taken
    assert not missing, (
        f'{route} takes {sorted(missing)}: say in its `takes` what becomes of it: "{min(missing)}": Field(…)'
    )
    assert not gone, f"{route} doesn't take {sorted(gone)}"


@pytest.mark.parametrize(("route", "name"), fields(), ids=str)
async def test_a_field_that_is_sent_is_used(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, route: Route, name: str
) -> None:
    field = route.takes[name]
    headers = await world.headers_of(field.by)
    sent = resolved({**field.beside, name: field.value}, world)
    assert route.good(world).get(name) != sent[name], "send a value that the good request doesn't have"
    traces = resolved(field.becomes or {name: field.value}, world)
    if field.becomes:
        async with undone(connection):
            assert not await shown(world, visitor, connection, route, headers, traces, **field.beside)
    if field.refused:
        refused = await send(visitor, world, route, headers, **route.body(world, **sent))
        assert (refused.is_success, refused.json().get("code")) == (False, field.refused)
    elif field.check:
        response = await send(visitor, world, route, headers, **route.body(world, **sent))
        assert response.is_success, response.text
        await field.check(visitor, world)
    else:
        found = await shown(world, visitor, connection, route, headers, traces, **sent)
        assert found, f"{route} takes `{name}` and drops it: {traces} is neither in the response nor in a row"


async def shown(
    world: World,
    client: httpx2.AsyncClient,
    connection: AsyncConnection,
    route: Route,
    headers: dict[str, str],
    traces: dict[str, Any],
    **sent: Any,
) -> bool:
    """Whether the response to a request with these fields, or a row that it wrote, has all of the traces."""
    before = await every_row(connection, without=("audit_events",))
    response = await send(client, world, route, headers, **route.body(world, **sent))
    assert response.is_success, response.text
    after = await every_row(connection, without=("audit_events",))
    body = response.json() if response.content else {}
    return any(traces.items() <= each.items() for each in [body, *new_or_changed(before, after)])
