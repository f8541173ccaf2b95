"""Reading the audit log."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.support.accounts import AUTH, USERS
from tests.support.callers import Save
from tests.support.users import new_user
from tests.support.world import World

EVENTS = "/api/v1/audit-events"


async def all_events(client: httpx2.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = (await client.get(EVENTS, params=query | ({"cursor": cursor} if cursor else {}))).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_the_log_is_read_newest_first_in_pages_without_gaps(
    client: httpx2.AsyncClient, save: Save, connection: AsyncConnection
) -> None:
    for _ in range(3):
        await save(new_user(), new_user())
    # One transaction's rows have one time, so give some their own.
    await connection.execute(text("ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only"))
    await connection.execute(
        text("UPDATE audit_events SET at = at - interval '1 h' WHERE id IN (SELECT id FROM audit_events LIMIT 2)")
    )
    await client.post(USERS, json={"email": "ada@example.com"})

    everything = await all_events(client, limit=100)
    in_pages = await all_events(client, limit=2)

    assert in_pages == everything
    assert len({event["id"] for event in everything}) == len(everything) == 7
    order = [(event["at"], event["id"]) for event in everything]
    assert order == sorted(order, reverse=True)
    assert everything[0].keys() == {
        "id",
        "at",
        "actor_kind",
        "actor_id",
        "actor_key_id",
        "actor_role",
        "action",
        "entity",
        "entity_id",
        "request_id",
        "changes",
    }


@pytest.mark.parametrize("field", ["actor_id", "action", "entity", "entity_id", "request_id"])
async def test_the_log_is_filtered_by_each_field(world: World, visitor: httpx2.AsyncClient, field: str) -> None:
    admin = await world.headers_of("admin")
    await visitor.post(f"{AUTH}/logout", headers=await world.headers_of("owner"))
    await visitor.post(USERS, json={"email": "new@example.com"}, headers=await world.headers_of("other"))
    everything = (await visitor.get(EVENTS, params={"limit": 100}, headers=admin)).json()["items"]

    values = {event[field] for event in everything} - {None}
    assert len(values) > 1
    for value in values:
        found = (await visitor.get(EVENTS, params={"limit": 100, field: value}, headers=admin)).json()["items"]
        assert found == [event for event in everything if event[field] == value]


async def test_filters_of_the_log_are_combined_and_none_may_match(client: httpx2.AsyncClient, save: Save) -> None:
    user = new_user()
    await save(user)

    both = await all_events(client, entity="user", entity_id=str(user.id))

    assert [event["action"] for event in both] == ["user.created"]
    assert await all_events(client, entity="api_key", entity_id=str(user.id)) == []
    assert await all_events(client, actor_id=str(uuid4())) == []
