"""What nobody makes of a token, a key or an address that isn't theirs: an account for good."""

import asyncio
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.identity import Scope
from app.core.security import digest, new_secret
from app.db.models.one_time_token import OneTimeToken
from app.db.models.user import User
from tests.support.accounts import AUTH, ME, PASSWORD, USERS, configure, hashed, tokens_of
from tests.support.application import client_of, running, storing
from tests.support.callers import Callers, Save, header
from tests.support.database import ask, plain
from tests.support.users import new_user
from tests.support.waiting import until_blocked
from tests.support.world import World

NEW = "another quiet green harbour"
FRESH = "fresh@example.com"


async def set_password_by_link(client: httpx2.AsyncClient, world: World) -> httpx2.Response:
    return await client.post(
        f"{AUTH}/password/reset/confirm", json={"token": world.secrets["set_password"], "password": NEW}
    )


async def email_of(connection: AsyncConnection, user: User) -> str:
    return str(await connection.scalar(text("SELECT email FROM users WHERE id = :id"), {"id": user.id}))


async def test_whoever_made_the_account_is_out_once_its_address_sets_a_password(
    world: World, visitor: httpx2.AsyncClient, callers: Callers
) -> None:
    key = await callers.with_key(world.owner, *Scope)
    others = await callers.with_key(world.other, *Scope)
    assert (await visitor.get(ME, headers=key)).status_code == 200

    assert (await set_password_by_link(visitor, world)).status_code == 204

    assert (await visitor.get(ME, headers=key)).status_code == 401
    assert (await visitor.get(ME, headers=others)).status_code == 200
    confirm = {"token": world.secrets["verify_email"]}
    assert (await visitor.post(f"{AUTH}/email/verify/confirm", json=confirm)).status_code == 422


@pytest.mark.parametrize("proof", [{}, {"current_password": None}, {"current_password": "a wrong password"}])
async def test_a_token_alone_does_not_change_the_address(
    visitor: httpx2.AsyncClient, connection: AsyncConnection, ada: User, callers: Callers, proof: dict[str, str]
) -> None:
    headers = await callers.signed_in(ada)

    refused = await visitor.patch(f"{USERS}/{ada.id}", json={"email": FRESH, "name": "A"} | proof, headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (403, "password_wrong")
    assert await email_of(connection, ada) == "ada@example.com"
    told = (await connection.execute(text("SELECT action, entity_id FROM audit_events"))).all()
    assert ("user.password_refused", ada.id) in [tuple(row) for row in told]
    assert "user.updated" not in [row.action for row in told]


async def test_with_the_password_it_changes(
    visitor: httpx2.AsyncClient, connection: AsyncConnection, ada: User, callers: Callers
) -> None:
    change = {"email": FRESH, "current_password": PASSWORD}

    changed = await visitor.patch(f"{USERS}/{ada.id}", json=change, headers=await callers.signed_in(ada))

    assert (changed.status_code, changed.json()["email"]) == (200, FRESH)
    assert await email_of(connection, ada) == FRESH


async def test_what_is_no_other_address_takes_no_password(
    visitor: httpx2.AsyncClient, ada: User, callers: Callers
) -> None:
    same = await visitor.patch(
        f"{USERS}/{ada.id}", json={"email": ada.email, "name": "Ada L."}, headers=await callers.signed_in(ada)
    )

    assert (same.status_code, same.json()["name"]) == (200, "Ada L.")


async def test_an_administrator_changes_any_address_with_a_password_and_none_by_a_token_alone(
    visitor: httpx2.AsyncClient, connection: AsyncConnection, save: Save, ada: User, callers: Callers
) -> None:
    admin, another = new_user(is_admin=True, password_hash=hashed(NEW)), new_user(is_admin=True)
    await save(another)
    headers = await callers.signed_in(admin)

    for user in (ada, admin, another):
        change = {"email": f"{user.id}@example.com"}
        refused = await visitor.patch(f"{USERS}/{user.id}", json=change, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "password_wrong")
        proven = await visitor.patch(f"{USERS}/{user.id}", json=change | {"current_password": NEW}, headers=headers)
        assert proven.status_code == 200
        assert await email_of(connection, user) == change["email"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_an_administrators_key_changes_neither_its_owner_nor_another_administrator(
    visitor: httpx2.AsyncClient, save: Save, callers: Callers, ada: User, method: str
) -> None:
    owner, another = new_user(is_admin=True), new_user(is_admin=True)
    await save(another)
    key = await callers.with_key(owner, *Scope)
    change = {"name": "Changed"} if method == "PATCH" else None

    answers = [
        await visitor.request(method, f"{USERS}/{user.id}", headers=key, json=change) for user in (owner, another, ada)
    ]

    assert [answer.status_code // 100 for answer in answers] == [4, 4, 2]
    assert [answer.json()["code"] for answer in answers[:2]] == ["scope_missing", "scope_missing"]


async def test_addresses_cannot_be_tried_or_mailed_to_without_end(
    app: FastAPI, visitor: httpx2.AsyncClient, save: Save, ada: User, callers: Callers
) -> None:
    headers = await callers.signed_in(ada)
    await save(new_user(email="taken@example.com"))
    configure(app, rate_limits=True, rate_limit_registration_address="3/hour")

    answers = [
        await visitor.patch(f"{USERS}/{ada.id}", json={"email": email, "current_password": PASSWORD}, headers=headers)
        for email in ("one@example.com", "taken@example.com", "two@example.com", "three@example.com")
    ]

    assert [answer.status_code for answer in answers] == [200, 409, 200, 429]


async def test_the_password_cannot_be_guessed_by_changing_the_address(
    app: FastAPI, visitor: httpx2.AsyncClient, ada: User, callers: Callers
) -> None:
    headers = await callers.signed_in(ada)
    configure(app, rate_limits=True, rate_limit_sign_in_account="2/hour")
    guesses = [{"email": FRESH, "current_password": guess} for guess in ("a guess", "another", PASSWORD)]

    answers = [await visitor.patch(f"{USERS}/{ada.id}", json=guess, headers=headers) for guess in guesses]

    assert [answer.status_code for answer in answers] == [403, 403, 429]


CHANGED_MEANWHILE = [
    pytest.param("PATCH", f"{USERS}/{{user_id}}", {"email": FRESH, "current_password": PASSWORD}, id="address"),
    pytest.param("POST", f"{AUTH}/password", {"current_password": PASSWORD, "new_password": NEW}, id="password"),
]


@pytest.mark.parametrize(("method", "path", "change"), CHANGED_MEANWHILE)
async def test_a_password_that_changes_while_a_change_waits_for_the_account_refuses_it(
    live_url: URL, method: str, path: str, change: dict[str, str]
) -> None:
    async with running(live_url) as app, client_of(app, headers={}) as client:
        ada = new_user(email="ada@example.com", password_hash=hashed())
        await storing(app)(ada)
        headers = header((await tokens_of(client, ada.email))["access_token"])
        async with await psycopg.AsyncConnection.connect(plain(live_url)) as other:
            await other.execute("UPDATE users SET password_hash = %s", [hashed("something else")])
            path = path.format(user_id=ada.id)
            waiting = asyncio.create_task(client.request(method, path, json=change, headers=headers))
            await until_blocked(live_url, 1)
        answer = await waiting

    assert (answer.status_code, answer.json()["code"]) == (403, "password_wrong")
    assert ask(live_url, "SELECT email, password_hash FROM users") == [("ada@example.com", hashed("something else"))]


async def test_a_token_alone_does_not_bring_back_the_address_that_its_owner_leaves(live_url: URL) -> None:
    async with running(live_url) as app, client_of(app, headers={}) as client:
        ada = new_user(email="ada@example.com", password_hash=hashed())
        await storing(app)(ada)
        headers = header((await tokens_of(client, ada.email))["access_token"])
        async with await psycopg.AsyncConnection.connect(plain(live_url)) as other:
            await other.execute("UPDATE users SET email = %s", [FRESH])
            path, change = f"{USERS}/{ada.id}", {"email": "ada@example.com"}
            waiting = asyncio.create_task(client.patch(path, json=change, headers=headers))
            await until_blocked(live_url, 1)
        answer = await waiting

    assert (answer.status_code, answer.json()["code"]) == (403, "password_wrong")
    assert ask(live_url, "SELECT email FROM users") == [(FRESH,)]


async def test_who_uses_a_link_waits_for_the_account_without_its_token(live_url: URL) -> None:
    """Whoever asks for another link locks the account, then the token: in the other order the two would deadlock."""
    async with running(live_url) as app, client_of(app, headers={}) as client:
        ada, secret = new_user(email="ada@example.com"), new_secret()
        async with app.state.database.transaction() as session:
            session.add(ada)
            await session.flush()
            token = OneTimeToken(token_hash=digest(secret), user_id=ada.id, purpose="verify_email", email=ada.email)
            token.expires_at = ask(live_url, "SELECT now() + interval '1 day'")[0][0]
            session.add(token)
        async with await psycopg.AsyncConnection.connect(plain(live_url)) as other:
            await other.execute("SELECT FROM users FOR UPDATE")
            using = asyncio.create_task(client.post(f"{AUTH}/email/verify/confirm", json={"token": secret}))
            await until_blocked(live_url, 1)
            await other.execute("SELECT FROM one_time_tokens FOR UPDATE NOWAIT")
        answer = await using

    assert answer.status_code == 204


async def test_nobody_registers_a_deactivated_account_for_an_address_of_others(
    app: FastAPI, visitor: httpx2.AsyncClient, ada: User, callers: Callers
) -> None:
    new = {"email": "squat@example.com", "is_active": False}

    refused = [await visitor.post(USERS, json=new, headers=headers) for headers in ({}, await callers.signed_in(ada))]
    by_admin = await visitor.post(USERS, json=new, headers=await callers.signed_in(new_user(is_admin=True)))

    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "forbidden")] * 2
    assert (by_admin.status_code, by_admin.json()["is_active"]) == (201, False)


@pytest.mark.parametrize("taken", [False, True])
async def test_where_only_administrators_create_accounts_everybody_else_is_refused_alike(
    app: FastAPI, visitor: httpx2.AsyncClient, ada: User, callers: Callers, taken: bool
) -> None:
    configure(app, registration="admins")
    new = {"email": ada.email if taken else "new@example.com", "password": NEW}
    admin = new_user(is_admin=True)
    refused = [
        {},
        await callers.signed_in(ada),
        await callers.with_key(ada, *Scope),
        await callers.with_key(admin, Scope.USERS_READ),
    ]

    answers = [await visitor.post(USERS, json=new, headers=headers) for headers in refused]
    by_admin = await visitor.post(USERS, json=new, headers=await callers.signed_in(admin))

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(403, "registration_closed")}
    assert by_admin.status_code == (409 if taken else 201)


async def test_the_log_tells_which_key_was_used(
    visitor: httpx2.AsyncClient, connection: AsyncConnection, callers: Callers, ada: User
) -> None:
    keys = [await callers.with_key(ada, Scope.USERS_READ) for _ in range(2)]
    made = (await connection.execute(text("SELECT id FROM api_keys ORDER BY id"))).scalars().all()

    for key in keys:
        assert (await visitor.post(USERS, json={"email": f"{uuid4()}@example.com"}, headers=key)).is_success

    told = await connection.execute(
        text("SELECT actor_kind, actor_id, actor_key_id FROM audit_events WHERE actor_key_id IS NOT NULL ORDER BY id")
    )
    assert [tuple(row) for row in told] == [("api_key", ada.id, UUID(str(key))) for key in made]


async def test_every_401_names_the_way_to_authenticate(visitor: httpx2.AsyncClient, ada: User) -> None:
    answers = [
        await visitor.post(f"{AUTH}/token", data={"username": ada.email, "password": "a wrong password"}),
        await visitor.post(f"{AUTH}/refresh", json={"refresh_token": "unknown"}),
        await visitor.get(ME),
    ]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert [answer.headers["www-authenticate"] for answer in answers] == ["Bearer"] * 3


async def test_an_author_without_an_address_keeps_the_name(
    client: httpx2.AsyncClient, connection: AsyncConnection, save: Save
) -> None:
    author = new_user(email=None, name="Grace")
    await save(author)

    refused = await client.patch(f"{USERS}/{author.id}", json={"name": None})

    assert (refused.status_code, refused.json()["code"]) == (422, "user_nameless")
    assert await connection.scalar(text("SELECT name FROM users WHERE id = :id"), {"id": author.id}) == "Grace"


@pytest.mark.parametrize("expires_at", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
async def test_a_key_that_would_expire_outside_of_the_calendar_is_the_clients_fault(
    visitor: httpx2.AsyncClient, ada: User, callers: Callers, expires_at: str
) -> None:
    new = {"name": "a key", "scopes": ["users:read"], "expires_at": expires_at, "current_password": PASSWORD}

    refused = await visitor.post(f"{AUTH}/api-keys", json=new, headers=await callers.signed_in(ada))

    assert (refused.status_code, refused.json()["code"]) == (422, "validation_failed")
