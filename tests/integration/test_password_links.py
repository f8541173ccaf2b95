"""Links that set a password: whom they are sent to, and everything that makes them worthless."""

import asyncio

import httpx2
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.models.user import User
from tests.support.accounts import (
    NEW_PASSWORD,
    PASSWORD,
    USERS,
    hashed,
    is_locked_out,
    sign_in,
    tokens_of,
    told,
)
from tests.support.application import client_of, running, storing
from tests.support.callers import Save, header
from tests.support.database import plain
from tests.support.links import RESET, VERIFY, change_password, reset_token, set_password
from tests.support.mailbox import Mailbox, mailbox
from tests.support.users import new_user
from tests.support.waiting import until_blocked


async def test_an_account_without_a_password_cannot_change_it_but_can_set_it_by_a_link(
    visitor: httpx2.AsyncClient, box: Mailbox
) -> None:
    user = new_user(email="new@example.com")
    await visitor.post(USERS, json={"email": user.email})
    assert (await sign_in(visitor, user.email, NEW_PASSWORD)).status_code == 401

    response = await set_password(visitor, await reset_token(visitor, box, user))

    assert response.status_code == 204
    assert (await sign_in(visitor, user.email, NEW_PASSWORD)).status_code == 200


async def test_a_link_sets_the_password_and_ends_every_session(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User
) -> None:
    tokens = await tokens_of(visitor, ada.email)

    response = await set_password(visitor, await reset_token(visitor, box, ada))

    assert (response.status_code, response.content) == (204, b"")
    assert await is_locked_out(visitor, tokens)
    assert (await sign_in(visitor, ada.email)).status_code == 401
    assert (await sign_in(visitor, ada.email, NEW_PASSWORD)).status_code == 200


async def test_a_link_leaves_the_time_when_an_address_was_confirmed(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, connection: AsyncConnection
) -> None:
    confirmed_at = text("SELECT email_verified_at FROM users")
    before = await connection.scalar(confirmed_at)

    assert (await set_password(visitor, await reset_token(visitor, box, ada))).status_code == 204

    assert before is not None
    assert await connection.scalar(confirmed_at) == before


async def test_a_link_works_once(visitor: httpx2.AsyncClient, box: Mailbox, ada: User) -> None:
    token = await reset_token(visitor, box, ada)
    await set_password(visitor, token)

    again = await set_password(visitor, token, "a third quiet harbour")

    assert (again.status_code, again.json()["code"]) == (422, "token_refused")
    assert (await sign_in(visitor, ada.email, NEW_PASSWORD)).status_code == 200


async def test_a_password_that_is_refused_does_not_use_the_link_up(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User
) -> None:
    token = await reset_token(visitor, box, ada)

    refused = [await set_password(visitor, token, password) for password in ("short", "password")]

    assert [response.status_code for response in refused] == [422, 422]
    assert (await set_password(visitor, token)).status_code == 204


async def test_of_two_uses_of_a_link_at_once_one_wins(live_url: URL) -> None:
    passwords = [NEW_PASSWORD, "a third quiet harbour"]
    async with mailbox() as box, running(live_url, smtp_url=box.url()) as app, client_of(app, headers={}) as client:
        ada = new_user(email="ada@example.com", password_hash=hashed())
        await storing(app)(ada)
        token = await reset_token(client, box, ada)
        async with await psycopg.AsyncConnection.connect(plain(live_url)) as other:
            await other.execute("SELECT 1 FROM one_time_tokens FOR UPDATE")
            uses = [asyncio.create_task(set_password(client, token, password)) for password in passwords]
            await until_blocked(live_url, 2)
        statuses = [response.status_code for response in await asyncio.gather(*uses)]
        sign_ins = [(await sign_in(client, ada.email, password)).status_code for password in passwords]

    assert sorted(statuses) == [204, 422]
    assert sign_ins == [200 if status == 204 else 401 for status in statuses]


@pytest.mark.parametrize(
    "since",
    [
        "UPDATE one_time_tokens SET expires_at = now() - interval '1 second'",
        "UPDATE one_time_tokens SET purpose = 'verify_email'",
        "UPDATE users SET email = 'elsewhere@example.com'",
        "UPDATE users SET is_active = false",
        "DELETE FROM users",
        "DELETE FROM one_time_tokens",
    ],
)
async def test_a_link_opens_nothing_any_more_after(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, connection: AsyncConnection, since: str
) -> None:
    token = await reset_token(visitor, box, ada)
    await connection.execute(text(since))

    response = await set_password(visitor, token)

    assert (response.status_code, response.json()["code"]) == (422, "token_refused")
    assert token not in response.text


async def test_a_link_lives_for_an_hour(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, connection: AsyncConnection
) -> None:
    token = await reset_token(visitor, box, ada)
    passing = text("UPDATE one_time_tokens SET expires_at = expires_at - interval '59 minutes'")
    await connection.execute(passing)
    assert (await set_password(visitor, token)).status_code == 204

    token = await reset_token(visitor, box, ada)
    await connection.execute(passing)
    await connection.execute(passing)
    assert (await set_password(visitor, token)).status_code == 422


async def test_a_newer_link_replaces_the_older(visitor: httpx2.AsyncClient, box: Mailbox, ada: User) -> None:
    older, newer = [await reset_token(visitor, box, ada) for _ in range(2)]

    assert (await set_password(visitor, older)).status_code == 422
    assert (await set_password(visitor, newer)).status_code == 204


async def test_a_changed_password_makes_a_link_worthless(visitor: httpx2.AsyncClient, box: Mailbox, ada: User) -> None:
    token = await reset_token(visitor, box, ada)
    await change_password(visitor, await tokens_of(visitor, ada.email), PASSWORD)

    assert (await set_password(visitor, token)).status_code == 422


@pytest.mark.parametrize("changes", [["elsewhere@example.com"], ["elsewhere@example.com", "ada@example.com"]])
async def test_a_changed_address_makes_a_link_worthless_even_when_it_is_changed_back(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, changes: list[str]
) -> None:
    token = await reset_token(visitor, box, ada)
    headers = header((await tokens_of(visitor, ada.email))["access_token"])
    for email in changes:
        changed = await visitor.patch(
            f"{USERS}/{ada.id}", json={"email": email, "current_password": PASSWORD}, headers=headers
        )
        assert changed.status_code == 200

    assert (await set_password(visitor, token)).status_code == 422


async def test_a_link_that_confirms_an_address_sets_no_password_and_the_other_way_round(
    visitor: httpx2.AsyncClient, box: Mailbox
) -> None:
    await visitor.post(USERS, json={"email": "new@example.com", "password": PASSWORD})
    confirms = box.mails[-1].token
    sets = await reset_token(visitor, box, new_user(email="new@example.com"))

    refused = [
        await set_password(visitor, confirms),
        await visitor.post(f"{VERIFY}/confirm", json={"token": sets}),
    ]

    assert [(each.status_code, each.json()["code"]) for each in refused] == [(422, "token_refused")] * 2
    assert (await visitor.post(f"{VERIFY}/confirm", json={"token": confirms})).status_code == 204
    assert (await set_password(visitor, sets)).status_code == 204


async def test_links_are_stored_as_hashes(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, connection: AsyncConnection
) -> None:
    token = await reset_token(visitor, box, ada)

    (row,) = (await connection.execute(text("SELECT * FROM one_time_tokens"))).mappings().all()

    assert token not in str(dict(row))
    assert token.encode() not in row["token_hash"]
    assert len(row["token_hash"]) == 32


@pytest.mark.parametrize("path", [RESET, VERIFY])
async def test_asking_for_a_link_is_answered_the_same_whether_or_not_there_is_such_an_account(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, save: Save, path: str
) -> None:
    await save(
        new_user(email="gone@example.com", password_hash=hashed(), is_active=False),
        new_user(email="none@example.com", email_verified_at=None),
        new_user(email=None, name="Imported"),
    )
    asked = ["ada@example.com", "ADA@example.com", "unknown@example.com", "gone@example.com", "none@example.com"]

    answers = [await visitor.post(path, json={"email": email}) for email in asked]

    assert answers[0].status_code == 202
    assert [told(each) for each in answers] == [told(answers[0])] * len(asked)
    confirmed = [] if path == VERIFY else ["ada@example.com"] * 2
    assert [mail.to for mail in box.mails] == [[email] for email in (*confirmed, "none@example.com")]
