"""Users through HTTP."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.support.accounts import PASSWORD, USERS, hashed
from tests.support.answers import assert_problem
from tests.support.callers import Callers, Save
from tests.support.users import new_user


@pytest.mark.parametrize("path", ["/api/v1/users/", "/api/v1/users"])
async def test_a_user_is_created_with_and_without_the_trailing_slash(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.post(path, json={"email": "test@example.com", "is_active": True})

    assert response.status_code == 201
    assert response.json()["email"] == "test@example.com"
    assert response.json()["is_active"] is True


async def test_an_email_is_unique_whatever_the_case_of_its_letters(client: httpx2.AsyncClient) -> None:
    await client.post(USERS, json={"email": "ada@example.com"})

    response = await client.post(USERS, json={"email": "ADA@Example.com"})

    assert response.status_code == 409
    assert response.json()["code"] == "email_taken"


async def test_a_created_user_can_be_read(client: httpx2.AsyncClient) -> None:
    created = (await client.post(USERS, json={"email": "ada@example.com", "name": "Ada"})).json()

    response = await client.get(f"{USERS}/{created['id']}")

    assert response.status_code == 200
    assert response.json() == created


async def test_a_change_touches_only_the_fields_that_are_sent(client: httpx2.AsyncClient, save: Save) -> None:
    user = new_user(name="Ada", email="ada@example.com")
    await save(user)

    response = await client.patch(f"{USERS}/{user.id}", json={"is_active": False})

    assert response.status_code == 200
    changed = response.json()
    assert (changed["name"], changed["email"], changed["is_active"]) == ("Ada", "ada@example.com", False)


async def test_an_address_cannot_be_changed_to_one_that_is_taken(
    client: httpx2.AsyncClient, save: Save, callers: Callers
) -> None:
    user = new_user(password_hash=hashed())
    await save(user, new_user(email="ada@example.com"))
    change = {"email": "Ada@example.com", "current_password": PASSWORD}

    response = await client.patch(f"{USERS}/{user.id}", json=change, headers=await callers.signed_in(user))

    assert response.status_code == 409
    assert (await client.get(f"{USERS}/{user.id}")).json()["email"] == user.email


@pytest.mark.parametrize("field", ["email", "is_active"])
async def test_a_required_field_cannot_become_null(client: httpx2.AsyncClient, save: Save, field: str) -> None:
    user = new_user()
    await save(user)

    response = await client.patch(f"{USERS}/{user.id}", json={field: None})

    assert response.status_code == 422


@pytest.mark.parametrize("value", [0, 1, "true", "off"])
async def test_only_true_and_false_are_truth_values(client: httpx2.AsyncClient, value: Any) -> None:
    response = await client.post(USERS, json={"email": "ada@example.com", "is_active": value})

    body = assert_problem(response, 422, "validation_failed")
    assert [fault["loc"] for fault in body["errors"]] == [["body", "is_active"]]


async def test_a_deleted_user_is_gone(client: httpx2.AsyncClient, save: Save) -> None:
    user = new_user()
    await save(user)

    response = await client.delete(f"{USERS}/{user.id}")

    assert (response.status_code, response.content) == (204, b"")
    assert (await client.get(f"{USERS}/{user.id}")).status_code == 404


async def test_somebody_who_registers_gets_an_ordinary_account_that_isnt_confirmed(
    visitor: httpx2.AsyncClient, connection: AsyncConnection
) -> None:
    everything = {"email": "ada@example.com", "name": "Ada", "is_active": True, "password": PASSWORD}

    created = await visitor.post(USERS, json=everything)

    assert created.status_code == 201
    stored = await connection.execute(text("SELECT is_admin, email_verified_at, is_active FROM users"))
    assert [tuple(row) for row in stored] == [(False, None, True)]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_user_who_is_not_there_is_a_404(client: httpx2.AsyncClient, method: str) -> None:
    response = await client.request(method, f"{USERS}/{uuid4()}", json={} if method == "PATCH" else None)

    assert response.status_code == 404
    assert response.json()["code"] == "user_not_found"


async def test_users_are_listed_newest_first_in_pages(client: httpx2.AsyncClient, save: Save) -> None:
    for _ in range(5):
        await save(new_user())

    first = (await client.get(USERS, params={"limit": 3})).json()
    second = (await client.get(USERS, params={"limit": 3, "cursor": first["next_cursor"]})).json()

    names = [user["id"] for user in first["items"] + second["items"]]
    assert len(names) == len(set(names)) == 5
    assert names == sorted(names, reverse=True)
    assert second["next_cursor"] is None
