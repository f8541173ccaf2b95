"""The record of what everybody did: in the transaction of the change, and never rewritten."""

from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.identity import Scope
from app.db.session import Database
from tests.support.accounts import AUTH, PASSWORD, USERS
from tests.support.application import client_of
from tests.support.callers import Save
from tests.support.commands import postern
from tests.support.database import ask, audit_log_of, count
from tests.support.rows import EventsOf, every_row
from tests.support.users import new_user
from tests.support.world import World


async def test_changed_fields_are_told_with_both_values_and_personal_ones_masked(
    world: World, visitor: httpx2.AsyncClient, events_of: EventsOf
) -> None:
    headers = await world.headers_of("admin")
    path = f"{USERS}/{world.owner.id}"

    changed = await visitor.patch(path, json={"name": "Grace", "is_active": False}, headers=headers)
    unchanged = await visitor.patch(path, json={"name": "Grace", "is_active": False}, headers=headers)

    told, *ended = await events_of(changed)
    assert {row.action for row in ended} == {"auth_session.updated", "api_key.updated"}
    assert told.changes == {"name": ["***", "***"], "is_active": [True, False]}
    assert (told.entity_id, told.actor_id) == (world.owner.id, world.admin.id)
    assert await events_of(unchanged) == []


async def test_a_request_that_fails_tells_nothing(
    world: World, visitor: httpx2.AsyncClient, events_of: EventsOf
) -> None:
    headers = await world.headers_of("owner")

    change = {"email": world.other.email, "current_password": PASSWORD}
    taken = await visitor.patch(f"{USERS}/{world.owner.id}", json=change, headers=headers)

    assert taken.status_code == 409
    assert await events_of(taken) == []


async def test_a_change_and_its_record_are_one_transaction(live_app: FastAPI, live_url: URL) -> None:
    async with client_of(live_app) as client:
        created = await client.post(USERS, json={"email": "ada@example.com"})
        writers = ask(live_url, "SELECT DISTINCT xmin::text FROM users UNION SELECT xmin::text FROM audit_events")
        ask(live_url, "ALTER TABLE audit_events RENAME TO elsewhere")
        refused = await client.post(USERS, json={"email": "grace@example.com"})

    assert created.status_code == 201
    assert len(writers) == 1
    assert refused.status_code == 500
    assert count(live_url, "users") == 1


async def test_the_record_says_who_it_was(world: World, visitor: httpx2.AsyncClient, events_of: EventsOf) -> None:
    async def actors(headers: dict[str, str]) -> list[tuple[str, UUID | None]]:
        response = await visitor.post(USERS, json={"email": f"{uuid4()}@example.com"}, headers=headers)
        return [(row.actor_kind, row.actor_id) for row in await events_of(response)]

    assert await actors({}) == [("anonymous", None)]
    assert await actors(await world.headers_of("other")) == [("user", world.other.id)]
    assert await actors(await world.callers.with_key(world.owner, Scope.USERS_READ)) == [("api_key", world.owner.id)]


async def test_somebody_who_signed_in_before_isnt_taken_for_the_next_caller(
    world: World, visitor: httpx2.AsyncClient, events_of: EventsOf
) -> None:
    await visitor.get(f"{USERS}/me", headers=await world.headers_of("owner"))

    response = await visitor.post(USERS, json={"email": "new@example.com"})

    assert [row.actor_kind for row in await events_of(response)] == ["anonymous"]


@pytest.mark.parametrize("reason", ["password", "account", "deactivated"])
async def test_a_refused_sign_in_is_on_record(
    world: World, visitor: httpx2.AsyncClient, save: Save, events_of: EventsOf, reason: str
) -> None:
    form = {"username": world.owner.email, "password": PASSWORD}
    if reason == "password":
        form["password"] = "another one"
    if reason == "account":
        form["username"] = "nobody@example.com"
    if reason == "deactivated":
        world.owner.is_active = False
        await save(world.owner)

    response = await visitor.post(f"{AUTH}/token", data=form)

    assert response.status_code == 401
    (told,) = await events_of(response)
    assert (told.action, told.entity, told.changes) == ("user.sign_in_refused", "user", {})
    assert told.entity_id == (None if reason == "account" else world.owner.id)
    assert (told.actor_kind, told.actor_id) == ("anonymous", None)


async def test_a_refused_sign_in_survives_its_401(live_app: FastAPI, live_url: URL) -> None:
    async with client_of(live_app, headers={}) as client:
        response = await client.post(f"{AUTH}/token", data={"username": "ada@example.com", "password": "a guess"})

    assert response.status_code == 401
    assert ask(live_url, "SELECT action, request_id FROM audit_events") == [
        ("user.sign_in_refused", response.headers["x-request-id"])
    ]


async def test_a_session_that_a_stolen_token_ended_is_on_record(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, events_of: EventsOf
) -> None:
    refresh = {"refresh_token": world.secrets["refresh_token"]}
    await visitor.post(f"{AUTH}/refresh", json=refresh)
    await connection.execute(text("UPDATE refresh_tokens SET spent_at = spent_at - interval '1 minute'"))

    response = await visitor.post(f"{AUTH}/refresh", json=refresh)

    assert response.status_code == 401
    session_id = UUID(world.ids["session_id"])
    reused, ended = await events_of(response)
    assert [(told.action, told.entity_id) for told in (reused, ended)] == [
        ("auth_session.token_reused", session_id),
        ("auth_session.updated", session_id),
    ]
    assert {told.actor_kind for told in (reused, ended)} == {"anonymous"}, "it may be the owner or a thief"
    assert ended.changes["ended_at"][0] is None


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET action = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events"]
)
async def test_the_log_cannot_be_rewritten_even_by_its_owner(
    shared_database: Database, connection: AsyncConnection, save: Save, statement: str
) -> None:
    await save(new_user())
    before = await every_row(connection)
    owner, user = (
        await connection.execute(
            text("SELECT tableowner, current_user FROM pg_tables WHERE tablename = 'audit_events'")
        )
    ).one()

    with pytest.raises(DBAPIError, match="append-only"):
        async with connection.begin_nested():
            await connection.execute(text(statement))

    assert owner == user
    assert [row for row in before if row.startswith("audit_events ")]
    assert await every_row(connection) == before


async def test_an_administrator_made_by_the_command_line_is_on_record(
    live_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("users", "create-admin", "ada@example.com", "--password-stdin")

    assert await postern(monkeypatch, live_url, *arguments, stdin=f"{PASSWORD}\n") == 0

    ((kind, action, entity_id, changes),) = audit_log_of(live_url)
    assert (kind, action) == ("command", "user.created")
    assert entity_id == str(ask(live_url, "SELECT id FROM users")[0][0])
    assert changes["is_admin"] == [None, True]
    assert changes["password_hash"] == [None, "***"]
