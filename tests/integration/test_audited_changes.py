"""Every change is on record, as its route describes it: complete, without personal values, or not made at all."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.base import PRIVATE, Base
from tests.support.accounts import NEW_PASSWORD, PASSWORD
from tests.support.resources import Route, changes, described, resolved, send
from tests.support.rows import EventsOf, every_row
from tests.support.world import World

PERSONAL = {table: columns for resource in described().values() for table, columns in resource.tables.items()}


def test_every_change_has_a_stated_record() -> None:
    assert [str(route) for route in changes() if route.records is None] == [], "say it in `records`; () for none"


def test_personal_columns_are_marked_as_described() -> None:
    marked = {
        table.name: {column.name for column in table.columns if PRIVATE.items() <= column.info.items()}
        for table in Base.metadata.tables.values()
    }

    assert {table: set(columns) for table, columns in PERSONAL.items()} == marked


@pytest.mark.parametrize("route", changes(), ids=str)
async def test_a_change_is_told_with_who_and_what_and_by_which_request(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, events_of: EventsOf, route: Route
) -> None:
    headers = await world.headers_of("owner")
    with_owner = [action for resource in described().values() for action in resource.goes_with_owner]

    response = await send(visitor, world, route, headers)

    assert response.is_success
    told = await events_of(response)
    now = await connection.scalar(text("SELECT now()"))  # the time of the transaction, which is the test's
    actions, own = [row.action for row in told], list(route.records or ())
    others = actions[len(own) :]
    if route.method == "DELETE" and not route.ends_account:  # rows of other tables may go with this one
        others = [action for action in others if not action.endswith(".deleted")]
    assert actions[: len(own)] == own
    assert sorted(others) == sorted(with_owner if route.ends_account else [])
    for row in told:
        assert row.entity == row.action.partition(".")[0]
        assert isinstance(row.entity_id, UUID)
        assert row.at == now
        assert (row.actor_kind, row.actor_id) == ("user", world.owner.id)


def values_of(stored: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What stands in personal columns; hashes without the prefix of their notation."""
    for identity, row in stored.items():
        for column in PERSONAL[identity.partition(" ")[0]]:
            if row[column]:
                yield str(row[column]).removeprefix("\\x")


@pytest.mark.parametrize("route", changes(), ids=str)
async def test_no_audit_row_holds_a_personal_value(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, route: Route
) -> None:
    headers = await world.headers_of("owner") | {"User-Agent": "Canary/1.0"}
    before = await every_row(connection)
    personal = {column for columns in PERSONAL.values() for column in columns}
    sent = {name: field for name, field in route.takes.items() if name in personal and not field.refused}
    beside = {name: value for field in sent.values() for name, value in field.beside.items()}
    body = beside | resolved({name: field.value for name, field in sent.items()}, world)

    response = await send(visitor, world, route, headers, **route.body(world, **body))

    assert response.is_success
    stored = await every_row(connection)
    log = str([row for identity, row in stored.items() if identity.startswith("audit_events ")])
    hidden = {*values_of(before), *values_of(stored), *world.secrets.values(), PASSWORD, NEW_PASSWORD, "argon2"}
    assert [value for value in hidden if value in log] == []


FAILS = (
    """CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the canary'; END $$""",
    "CREATE TRIGGER fails BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION fail()",
)


@pytest.mark.parametrize("route", [each for each in changes() if each.records], ids=str)
async def test_if_the_record_fails_the_change_fails(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, route: Route
) -> None:
    headers = await world.headers_of("owner")
    for statement in FAILS:
        await connection.execute(text(statement))
    before = await every_row(connection)

    response = await send(visitor, world, route, headers)

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "canary" not in response.text
    assert await every_row(connection) == before
