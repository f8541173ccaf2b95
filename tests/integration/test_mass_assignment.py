"""No request sets what isn't its caller's to set: every column of every table is tried on every route with a body."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import Column, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.identity import get_optional_user
from app.db.base import Base
from tests.conftest import Save
from tests.support.world import API, AUTH, CHANGES, PASSWORD, POSTS, USERS, World, make_world, routes_of, send

# What each route takes. Everything else that any table has is refused.
TAKEN: dict[tuple[str, str], set[str]] = {
    ("POST", USERS): {"email", "name", "is_active"},
    ("PATCH", f"{USERS}/{{user_id}}"): {"email", "name", "is_active"},
    ("POST", POSTS): {"title", "body", "slug", "author_id"},
    ("PATCH", f"{POSTS}/{{post_id}}"): {"title", "body", "slug"},
    ("POST", f"{AUTH}/refresh"): set(),
    ("POST", f"{AUTH}/password"): set(),
    ("POST", f"{AUTH}/password/reset"): {"email"},
    ("POST", f"{AUTH}/password/reset/confirm"): set(),
    ("POST", f"{AUTH}/email/verify"): {"email"},
    ("POST", f"{AUTH}/email/verify/confirm"): set(),
    ("POST", f"{AUTH}/api-keys"): {"name", "scopes", "expires_at"},
}
# Taken, but not from everybody with every value.
FORBIDDEN = {
    ("POST", USERS, "is_active"),
    ("PATCH", f"{USERS}/{{user_id}}", "is_active"),  # for administrators
    ("POST", POSTS, "author_id"),  # another author
}
# A form, in which OAuth2 wants unknown fields ignored (RFC 6749, 3.2).
FORM = ("POST", f"{AUTH}/token")


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
        list: ["posts:read"],
        object: {},  # JSON
        bytes: "00" * 32,
        str: "taken@example.org" if column.name == "email" else "taken/over",
    }
    return values[column.type.python_type]


@pytest.fixture
async def world(app: FastAPI, save: Save) -> World:
    del app.dependency_overrides[get_optional_user]
    return await make_world(app, save)


async def stored(connection: AsyncConnection) -> dict[str, dict[str, Any]]:
    """Every row as the table has it, by something that recognises it."""
    rows: dict[str, dict[str, Any]] = {}
    for table in Base.metadata.tables.values():
        if table.name not in ("audit_events", "rate_windows"):
            for row in (await connection.execute(text(f"SELECT * FROM {table.name}"))).mappings():
                identity = ",".join(str(row[key.name]) for key in table.primary_key)
                rows[f"{table.name} {identity}"] = dict(row)
    return rows


def test_every_route_with_a_body_is_tried(shared_app: FastAPI) -> None:
    document = shared_app.openapi()["paths"]
    with_body = {
        (method.upper(), path)
        for path, methods in document.items()
        for method, operation in methods.items()
        if "requestBody" in operation
    }
    assert with_body == TAKEN.keys() | {FORM}
    assert {name for fields in TAKEN.values() for name in fields} <= columns().keys()


@pytest.mark.parametrize(("method", "path"), TAKEN)
async def test_no_column_can_be_set_but_those_that_are_stated(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, method: str, path: str
) -> None:
    headers = await world.as_user(world.owner)
    before = await stored(connection)
    refused = set()
    for name, column in columns().items():
        if name in TAKEN[method, path]:
            continue
        body = CHANGES[method, path](world)["json"] | {name: value_of(column)}
        response = await send(visitor, world, method, path, headers, json=body)
        problem = response.json()
        if response.status_code == 422 and [name] == [fault["loc"][-1] for fault in problem["errors"]]:
            refused.add(name)

    assert refused == columns().keys() - TAKEN[method, path]
    assert await stored(connection) == before


@pytest.mark.parametrize("field", ["id", "is_admin", "version", "versions", "__class__", "_id", "Name"])
async def test_a_name_that_no_model_has_is_refused_too(world: World, visitor: httpx2.AsyncClient, field: str) -> None:
    headers = await world.as_user(world.owner)
    for method, path in TAKEN:
        body = CHANGES[method, path](world)["json"] | {field: "x"}
        response = await send(visitor, world, method, path, headers, json=body)
        assert (response.status_code, response.json()["code"]) == (422, "validation_failed")


# What a change may touch in what is stored, besides the columns that TAKEN names and the time of the change.
EFFECTS: dict[tuple[str, str], set[str]] = {
    ("PATCH", f"{USERS}/{{user_id}}"): {"email_verified_at"},
    ("PATCH", f"{POSTS}/{{post_id}}"): set(),
}


@pytest.mark.parametrize(("method", "path"), EFFECTS)
async def test_a_change_with_every_field_it_takes_touches_nothing_else(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, method: str, path: str
) -> None:
    headers = await world.as_user(world.owner)
    before = await stored(connection)
    body = {name: value_of(columns()[name]) for name in TAKEN[method, path] - {"is_active"}}
    proof = {"current_password": PASSWORD} if "email" in body else {}

    response = await send(visitor, world, method, path, headers, json=body | proof)

    assert response.status_code == 200
    after = await stored(connection)
    changed = {
        name for row in before.keys() & after.keys() for name in before[row] if before[row][name] != after[row][name]
    }
    assert changed - {"updated_at"} == set(body) | EFFECTS[method, path]


@pytest.mark.parametrize(("method", "path", "field"), sorted(FORBIDDEN))
async def test_a_field_that_takes_more_rights_is_forbidden(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, method: str, path: str, field: str
) -> None:
    headers = await world.as_user(world.owner)
    before = await stored(connection)
    value = str(world.other.id) if field == "author_id" else False
    body = CHANGES[method, path](world)["json"] | {field: value}

    response = await send(visitor, world, method, path, headers, json=body)

    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert await stored(connection) == before


async def test_somebody_who_registers_gets_an_ordinary_account_that_isnt_confirmed(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection
) -> None:
    everything = {"email": "ada@example.com", "name": "Ada", "is_active": True, "password": "a walk along the river"}

    created = await visitor.post(USERS, json=everything)

    assert created.status_code == 201
    row = (await stored(connection))[f"users {UUID(created.json()['id'])}"]
    assert (row["is_admin"], row["email_verified_at"], row["is_active"]) == (False, None, True)


async def test_a_sign_in_ignores_other_fields_of_its_form(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection
) -> None:
    before = await stored(connection)
    form = {name: str(value_of(column)) for name, column in columns().items()}
    form |= CHANGES[FORM](world)["data"] | {"scope": "admin", "client_id": "x", "client_secret": "x"}

    response = await visitor.post(FORM[1], data=form)

    assert response.status_code == 200
    assert response.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    after = await stored(connection)
    assert {row: after[row] for row in before} == before
    (session,) = (after[row] for row in after.keys() - before.keys() if row.startswith("auth_sessions"))
    assert session["user_id"] == world.owner.id
    assert session["expires_at"] != datetime.fromisoformat(form["expires_at"])


LISTS = [USERS, POSTS, f"{API}/audit-events"]
QUERIES = {
    USERS: {"limit", "cursor"},
    POSTS: {"limit", "cursor", "status", "author_id"},
    f"{API}/audit-events": {"limit", "cursor", "actor_id", "action", "entity", "entity_id", "request_id"},
}


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_refuses_a_parameter_that_it_doesnt_know(
    world: World, visitor: httpx2.AsyncClient, path: str
) -> None:
    headers = await world.as_user(world.admin)
    refused = set()
    tried = columns().keys() | {"offset", "page", "limit[]", "order_by", "include"}
    for name in tried - QUERIES[path]:
        response = await visitor.get(path, params={name: "1"}, headers=headers)
        if response.status_code == 422 and response.json()["errors"][0]["loc"] == ["query", name]:
            refused.add(name)

    assert refused == tried - QUERIES[path]


def test_every_list_is_tried(shared_app: FastAPI) -> None:
    document = shared_app.openapi()["paths"]
    queries = {
        path: {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        for path, methods in document.items()
        for operation in methods.values()
        if any(each["in"] == "query" for each in operation.get("parameters", []))
    }
    assert queries == QUERIES
    assert {("GET", path) for path in QUERIES} <= routes_of(shared_app)
