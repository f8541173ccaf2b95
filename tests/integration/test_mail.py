"""Mails: who gets them, when, through which server, and what happens when that fails."""

from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.support.accounts import PASSWORD, USERS, configure, hashed, sign_in
from tests.support.application import client_of, running, storing
from tests.support.callers import Callers, Save
from tests.support.database import ask
from tests.support.links import RESET, VERIFY, confirm
from tests.support.mailbox import Mailbox, mailbox
from tests.support.users import new_user

NEW = {"email": "new@example.com", "password": PASSWORD}


async def is_confirmed(connection: AsyncConnection, email: str | None) -> bool:
    found = await connection.scalar(text("SELECT email_verified_at FROM users WHERE email = :email"), {"email": email})
    return found is not None


async def test_signing_up_sends_a_link_that_confirms_the_address(
    visitor: httpx2.AsyncClient, box: Mailbox, connection: AsyncConnection
) -> None:
    await visitor.post(USERS, json=NEW)

    (mail,) = box.mails
    assert (mail.to, mail.sender, mail.subject) == (
        ["new@example.com"],
        "Blog <blog@example.org>",
        "Confirm your e-mail address",
    )
    assert f"https://blog.example.org/verify-email#token={mail.token}" in mail.text.splitlines()
    assert not await is_confirmed(connection, "new@example.com")
    response = await confirm(visitor, mail.token)
    assert (response.status_code, response.content) == (204, b"")
    assert await is_confirmed(connection, "new@example.com")


async def test_a_confirmed_account_may_sign_in_where_an_unconfirmed_one_may_not(
    app: FastAPI, visitor: httpx2.AsyncClient, box: Mailbox
) -> None:
    configure(app, smtp_url=box.url(), unverified_may="nothing")
    await visitor.post(USERS, json=NEW)
    assert (await sign_in(visitor, NEW["email"])).status_code == 403

    await confirm(visitor, box.mails[0].token)

    assert (await sign_in(visitor, NEW["email"])).status_code == 200


@pytest.mark.parametrize(
    "since",
    [
        "UPDATE one_time_tokens SET expires_at = now() - interval '1 second'",
        "UPDATE users SET email = 'elsewhere@example.com'",
        "UPDATE users SET is_active = false",
        "DELETE FROM users",
    ],
)
async def test_a_confirmation_opens_nothing_any_more_after(
    visitor: httpx2.AsyncClient, box: Mailbox, connection: AsyncConnection, since: str
) -> None:
    await visitor.post(USERS, json=NEW)
    await connection.execute(text(since))

    response = await confirm(visitor, box.mails[0].token)

    assert (response.status_code, response.json()["code"]) == (422, "token_refused")
    assert not (await connection.scalars(text("SELECT 1 FROM users WHERE email_verified_at IS NOT NULL"))).all()


async def test_an_address_is_confirmed_once_by_a_link(visitor: httpx2.AsyncClient, box: Mailbox) -> None:
    await visitor.post(USERS, json=NEW)

    assert [(await confirm(visitor, box.mails[0].token)).status_code for _ in range(2)] == [204, 422]


async def test_a_link_that_is_sent_again_replaces_the_first(visitor: httpx2.AsyncClient, box: Mailbox) -> None:
    await visitor.post(USERS, json=NEW)

    response = await visitor.post(VERIFY, json={"email": "NEW@example.com"})

    assert response.status_code == 202
    first, second = box.mails
    assert second.to == ["new@example.com"]
    assert (await confirm(visitor, first.token)).status_code == 422
    assert (await confirm(visitor, second.token)).status_code == 204


async def test_a_confirmed_address_gets_no_further_link(visitor: httpx2.AsyncClient, box: Mailbox) -> None:
    await visitor.post(USERS, json=NEW)
    await confirm(visitor, box.mails[0].token)

    await visitor.post(VERIFY, json={"email": "new@example.com"})

    assert len(box.mails) == 1


async def test_setting_a_password_by_a_link_confirms_the_address_too(
    visitor: httpx2.AsyncClient, box: Mailbox, connection: AsyncConnection
) -> None:
    await visitor.post(USERS, json=NEW)
    await visitor.post(RESET, json={"email": "new@example.com"})

    await visitor.post(f"{RESET}/confirm", json={"token": box.mails[1].token, "password": "another quiet harbour"})

    assert await is_confirmed(connection, "new@example.com")


async def test_a_new_address_has_to_be_confirmed_and_the_old_one_is_told(
    visitor: httpx2.AsyncClient, box: Mailbox, callers: Callers, connection: AsyncConnection
) -> None:
    user = new_user(email="old@example.com", password_hash=hashed())
    owner = await callers.signed_in(user)
    change = {"email": "fresh@example.com", "current_password": PASSWORD}

    response = await visitor.patch(f"{USERS}/{user.id}", json=change, headers=owner)

    assert response.status_code == 200
    assert not await is_confirmed(connection, "fresh@example.com")
    (link,), (notice,) = box.to("fresh@example.com"), box.to("old@example.com")
    assert notice.subject == "Your e-mail address was changed"
    assert link.token not in notice.text
    assert "fresh@example.com" not in notice.text
    assert (await confirm(visitor, link.token)).status_code == 204
    assert await is_confirmed(connection, "fresh@example.com")


async def test_a_change_of_other_fields_sends_nothing(
    visitor: httpx2.AsyncClient, box: Mailbox, callers: Callers, connection: AsyncConnection
) -> None:
    user = new_user(email="old@example.com")
    owner = await callers.signed_in(user)

    await visitor.patch(f"{USERS}/{user.id}", json={"email": "old@example.com", "name": "Ada"}, headers=owner)

    assert box.mails == []
    assert await is_confirmed(connection, "old@example.com")


async def test_a_link_for_an_address_that_was_changed_twice_confirms_only_the_last(
    visitor: httpx2.AsyncClient, box: Mailbox, callers: Callers, connection: AsyncConnection
) -> None:
    user = new_user(email="one@example.com", password_hash=hashed())
    owner = await callers.signed_in(user)
    for email in ("two@example.com", "three@example.com"):
        change = {"email": email, "current_password": PASSWORD}
        await visitor.patch(f"{USERS}/{user.id}", json=change, headers=owner)

    assert (await confirm(visitor, box.to("two@example.com")[0].token)).status_code == 422
    assert not await is_confirmed(connection, "three@example.com")
    assert (await confirm(visitor, box.to("three@example.com")[0].token)).status_code == 204


@pytest.mark.parametrize("email", ["taken@example.com", "not an address"])
async def test_a_sign_up_that_is_refused_sends_nothing(
    visitor: httpx2.AsyncClient, box: Mailbox, save: Save, email: str
) -> None:
    await save(new_user(email="taken@example.com"))

    response = await visitor.post(USERS, json={"email": email, "password": PASSWORD})

    assert response.status_code in (409, 422)
    assert box.mails == []


async def test_a_mail_leaves_after_the_commit(live_url: URL) -> None:
    seen: list[Any] = []
    async with mailbox() as box, running(live_url, smtp_url=box.url()) as app, client_of(app, headers={}) as client:
        counts = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM one_time_tokens)"
        box.on_arrival = lambda: seen.extend(ask(live_url, counts))
        await client.post(USERS, json=NEW)
        await client.post(RESET, json={"email": "new@example.com"})

    assert seen == [(1, 1), (1, 2)]


FAILS_AT_COMMIT = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'at commit'; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON one_time_tokens DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION fail();
"""


async def test_no_mail_leaves_when_the_commit_fails(live_url: URL) -> None:
    ask(live_url, FAILS_AT_COMMIT)
    async with mailbox() as box, running(live_url, smtp_url=box.url()) as app, client_of(app, headers={}) as client:
        signed_up = await client.post(USERS, json=NEW)
        await storing(app)(new_user(email="ada@example.com"))
        asked = await client.post(RESET, json={"email": "ada@example.com"})

    assert signed_up.status_code >= 500
    assert asked.status_code == 202  # answered before
    assert box.mails == []
    assert ask(live_url, "SELECT count(*) FROM one_time_tokens") == [(0,)]
