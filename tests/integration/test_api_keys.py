"""API keys: what they open, what they don't, and everything that ends them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.identity import Scope
from app.core.security import digest
from app.db.models.user import User
from tests.support.accounts import AUTH, ME, PASSWORD, USERS, configure, hashed, tokens_of, told
from tests.support.callers import Callers, Headers, Save, header
from tests.support.keys import KEYS, made, set_key
from tests.support.users import new_user


async def test_a_key_opens_what_its_scopes_say(visitor: httpx2.AsyncClient, owner: Headers, ada: User) -> None:
    key = await made(visitor, owner, "users:read")

    response = await visitor.get(ME, headers=header(key["key"]))

    assert response.status_code == 200
    assert response.json()["email"] == "ada@example.com"


async def test_a_key_is_shown_once(visitor: httpx2.AsyncClient, owner: Headers) -> None:
    scopes = sorted(set(Scope) - {Scope.ADMIN})
    key = await made(visitor, owner, *reversed(scopes))

    (listed,) = (await visitor.get(KEYS, headers=owner)).json()

    assert listed == {name: value for name, value in key.items() if name != "key"}
    assert key["key"].startswith(f"{key['prefix']}_")
    assert key["key"] not in str(listed)
    assert (listed["name"], listed["scopes"]) == ("deploy script", scopes)
    assert listed["expires_at"] is listed["last_used_at"] is None


async def test_a_key_is_stored_as_its_hash_beside_a_readable_prefix(
    visitor: httpx2.AsyncClient, owner: Headers, connection: AsyncConnection
) -> None:
    first, second = [await made(visitor, owner) for _ in range(2)]

    rows = (await connection.execute(text("SELECT * FROM api_keys ORDER BY id"))).mappings().all()

    assert [row["key_hash"] for row in rows] == [digest(first["key"]), digest(second["key"])]
    assert [row["prefix"] for row in rows] == [first["prefix"], second["prefix"]]
    assert len({first["prefix"], second["prefix"], "postern_"}) == 3
    assert not [value for value in rows[0].values() if first["key"] in str(value)]


async def test_the_prefix_alone_opens_nothing(visitor: httpx2.AsyncClient, owner: Headers) -> None:
    key = await made(visitor, owner, "users:read")

    for credential in (key["prefix"], f"{key['prefix']}_", key["key"][:-1], f"{key['key']}x"):
        assert told(await visitor.get(ME, headers=header(credential))) == told(await visitor.get(ME))


async def test_the_key_of_an_unconfirmed_account_may_no_more_than_the_account(
    app: FastAPI, visitor: httpx2.AsyncClient, callers: Callers
) -> None:
    user = new_user(email_verified_at=None)
    key = await callers.with_key(user, *Scope)

    configure(app, unverified_may="read")
    read = await visitor.get(ME, headers=key)
    configure(app, unverified_may="nothing")
    refused = await visitor.get(ME, headers=key)

    assert [each.status_code for each in (read, refused)] == [200, 403]
    assert refused.json()["code"] == "email_unverified"


@pytest.mark.parametrize(
    "fields",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["users:read", "*"]},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "two\nlines"},
        {"name": None},
        {"expires_at": "tomorrow"},
        {"expires_at": "2999-01-01T00:00:00"},
        {"expires_at": "2999-01-01T00:00Z"},
        {"expires_at": "32503680000"},
        {"expires_at": 32503680000},
        {"key": "postern_chosen"},
        {"user_id": str(uuid4())},
        {"key_hash": "00"},
    ],
)
async def test_a_key_that_cannot_be_is_a_422(
    visitor: httpx2.AsyncClient, owner: Headers, fields: dict[str, Any]
) -> None:
    new = {"name": "deploy script", "scopes": ["users:read"], "current_password": PASSWORD, **fields}

    response = await visitor.post(KEYS, json=new, headers=owner)

    assert response.status_code == 422


async def test_only_an_administrator_makes_a_key_with_the_scope_admin(
    visitor: httpx2.AsyncClient, owner: Headers, callers: Callers
) -> None:
    admin = await callers.signed_in(new_user(is_admin=True, password_hash=hashed()))
    new = {"name": "operations", "scopes": ["admin"], "current_password": PASSWORD}

    refused = await visitor.post(KEYS, json=new, headers=owner)
    allowed = await visitor.post(KEYS, json=new, headers=admin)

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert allowed.status_code == 201


async def test_an_administrators_key_administrates_only_with_the_scope(
    visitor: httpx2.AsyncClient, callers: Callers, ada: User
) -> None:
    root = new_user(is_admin=True)
    without = await callers.with_key(root, *(scope for scope in Scope if scope is not Scope.ADMIN))
    with_scope = await callers.with_key(root, Scope.ADMIN)

    refused = await visitor.patch(f"{USERS}/{ada.id}", json={"is_active": False}, headers=without)
    allowed = await visitor.patch(f"{USERS}/{ada.id}", json={"is_active": False}, headers=with_scope)

    assert (refused.status_code, allowed.status_code) == (403, 200)


async def test_a_key_does_not_administrate_any_more_once_its_owner_does_not(
    visitor: httpx2.AsyncClient, callers: Callers, ada: User, connection: AsyncConnection
) -> None:
    root = new_user(is_admin=True)
    key = await callers.with_key(root, Scope.ADMIN, Scope.USERS_READ)
    assert (await visitor.get(f"{USERS}/{ada.id}", headers=key)).json()["email"] == "ada@example.com"

    await connection.execute(text("UPDATE users SET is_admin = false WHERE id = :id"), {"id": root.id})

    assert "email" not in (await visitor.get(f"{USERS}/{ada.id}", headers=key)).json()
    assert (await visitor.delete(f"{USERS}/{ada.id}", headers=key)).status_code == 403


async def test_the_scope_admin_alone_makes_nobody_an_administrator(
    visitor: httpx2.AsyncClient, save: Save, callers: Callers, ada: User
) -> None:
    grace = new_user()
    await save(grace)
    key = await callers.with_key(ada, *Scope)

    assert (await visitor.delete(f"{USERS}/{grace.id}", headers=key)).status_code == 403


@pytest.mark.parametrize("proof", [{}, {"current_password": None}, {"current_password": "a wrong password"}])
async def test_a_token_alone_makes_no_key(
    visitor: httpx2.AsyncClient, owner: Headers, ada: User, connection: AsyncConnection, proof: dict[str, str]
) -> None:
    new = {"name": "a key that stays", "scopes": ["users:read"]}

    refused = await visitor.post(KEYS, json=new | proof, headers=owner)

    assert (refused.status_code, refused.json()["code"]) == (403, "password_wrong")
    assert (await visitor.get(KEYS, headers=owner)).json() == []
    told = (await connection.execute(text("SELECT action, entity_id FROM audit_events"))).all()
    assert ("user.password_refused", ada.id) in [tuple(row) for row in told]


async def test_a_key_ends_when_it_expires(
    visitor: httpx2.AsyncClient, owner: Headers, connection: AsyncConnection
) -> None:
    expires_at = datetime.now(UTC) + timedelta(days=1)
    key = await made(visitor, owner, "users:read", expires_at=expires_at.isoformat())
    assert datetime.fromisoformat(key["expires_at"]) == expires_at
    assert (await visitor.get(ME, headers=header(key["key"]))).status_code == 200

    await set_key(connection, "expires_at = now() - interval '1 second'")

    assert told(await visitor.get(ME, headers=header(key["key"]))) == told(await visitor.get(ME))


async def test_a_key_that_would_expire_in_the_past_is_not_made(visitor: httpx2.AsyncClient, owner: Headers) -> None:
    new = {"name": "late", "scopes": ["users:read"], "expires_at": "2020-01-01T00:00:00Z"}

    response = await visitor.post(KEYS, json=new, headers=owner)

    assert (response.status_code, response.json()["code"]) == (422, "api_key_expired")


async def test_a_revoked_key_is_locked_out_at_once(visitor: httpx2.AsyncClient, owner: Headers) -> None:
    key, other = [await made(visitor, owner, "users:read") for _ in range(2)]
    assert (await visitor.get(ME, headers=header(key["key"]))).status_code == 200

    revoked = await visitor.delete(f"{KEYS}/{key['id']}", headers=owner)

    assert revoked.status_code == 204
    assert told(await visitor.get(ME, headers=header(key["key"]))) == told(await visitor.get(ME))
    assert (await visitor.get(ME, headers=header(other["key"]))).status_code == 200
    assert [each["id"] for each in (await visitor.get(KEYS, headers=owner)).json()] == [other["id"]]
    assert (await visitor.delete(f"{KEYS}/{key['id']}", headers=owner)).status_code == 404


@pytest.mark.parametrize(
    "ending", ["UPDATE users SET is_active = false WHERE id = :id", "DELETE FROM users WHERE id = :id"]
)
async def test_the_key_of_an_account_that_is_gone_opens_nothing(
    visitor: httpx2.AsyncClient, callers: Callers, ada: User, connection: AsyncConnection, ending: str
) -> None:
    key = await callers.with_key(ada, *Scope)
    assert (await visitor.get(ME, headers=key)).status_code == 200

    await connection.execute(text(ending), {"id": ada.id})

    assert told(await visitor.get(ME, headers=key)) == told(await visitor.get(ME))


async def test_somebody_elses_key_is_a_404_and_goes_on(
    visitor: httpx2.AsyncClient, owner: Headers, callers: Callers
) -> None:
    key = await made(visitor, owner, "users:read")
    grace, root = await callers.signed_in(new_user()), await callers.signed_in(new_user(is_admin=True))

    for other in (grace, root):
        response = await visitor.delete(f"{KEYS}/{key['id']}", headers=other)
        assert (response.status_code, response.json()["code"]) == (404, "api_key_not_found")
        assert (await visitor.get(KEYS, headers=other)).json() == []
    assert (await visitor.get(ME, headers=header(key["key"]))).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", KEYS, None),
        ("POST", KEYS, {"name": "another", "scopes": ["users:read"]}),
        ("DELETE", f"{KEYS}/00000000-0000-7000-8000-000000000000", None),
        ("GET", f"{AUTH}/sessions", None),
        ("DELETE", f"{AUTH}/sessions/00000000-0000-7000-8000-000000000000", None),
        ("POST", f"{AUTH}/logout", None),
        ("POST", f"{AUTH}/password", {"current_password": PASSWORD, "new_password": "another quiet harbour"}),
    ],
)
async def test_a_key_does_not_manage_the_account_that_it_belongs_to(
    visitor: httpx2.AsyncClient, callers: Callers, method: str, path: str, body: dict[str, Any] | None
) -> None:
    key = await callers.with_key(new_user(password_hash=hashed(), is_admin=True), *Scope)

    response = await visitor.request(method, path, json=body, headers=key)

    assert (response.status_code, response.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_key_does_not_change_its_owner(
    visitor: httpx2.AsyncClient, callers: Callers, ada: User, method: str
) -> None:
    key = await callers.with_key(ada, *Scope)
    body = {"email": "mallory@example.com"} if method == "PATCH" else None

    response = await visitor.request(method, f"{USERS}/{ada.id}", headers=key, json=body)

    assert (response.status_code, response.json()["code"]) == (403, "scope_missing")


async def test_a_key_outlives_the_sessions_of_its_owner(visitor: httpx2.AsyncClient, ada: User) -> None:
    owner = header((await tokens_of(visitor, ada.email))["access_token"])
    key = await made(visitor, owner, "users:read")

    await visitor.post(f"{AUTH}/logout", headers=owner)

    assert (await visitor.get(ME, headers=header(key["key"]))).status_code == 200
