"""Passwords: which are taken, who sets them and how, and how they are hashed."""

import json
from collections.abc import Awaitable, Callable

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.models.user import User
from tests.support.accounts import (
    AUTH,
    NEW_PASSWORD,
    PASSWORD,
    USERS,
    hashed,
    is_locked_out,
    opens,
    sign_in,
    tokens_of,
)
from tests.support.callers import Save, header
from tests.support.links import RESET, VERIFY, change_password, reset_token, set_password
from tests.support.mailbox import Mailbox
from tests.support.users import new_user

# The three ways to a password: each sends one, for the account at hand, and tells the answer.
type Way = Callable[[httpx2.AsyncClient, Mailbox, User, str], Awaitable[httpx2.Response]]


async def by_signing_up(client: httpx2.AsyncClient, _box: Mailbox, _user: User, password: str) -> httpx2.Response:
    return await client.post(USERS, json={"email": "new@example.com", "password": password})


async def by_changing_it(client: httpx2.AsyncClient, _box: Mailbox, user: User, password: str) -> httpx2.Response:
    return await change_password(client, await tokens_of(client, user.email), PASSWORD, password)


async def by_a_link(client: httpx2.AsyncClient, box: Mailbox, user: User, password: str) -> httpx2.Response:
    return await set_password(client, await reset_token(client, box, user), password)


WAYS: list[Way] = [by_signing_up, by_changing_it, by_a_link]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "password",
    [
        "8 chars!",
        "日本語の合言葉だ",
        "🐎🔋📎🐢🌊🔑🎻🧭",
        f"{PASSWORD} and a boat " * 3 + "a" * 26,
        "🐎🔋📎🐢🌊🔑🎻🧭🌵🥁" + "🐎" * 118,
        "  x  7 Kq",
        "with a \x00 in it",
        "with\na line",
    ],
)
async def test_a_password_of_8_to_128_characters_is_taken_and_signs_in(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, way: Way, password: str
) -> None:
    response = await way(visitor, box, ada, password)

    assert response.status_code in (201, 204), response.text
    email = "new@example.com" if way is by_signing_up else ada.email
    assert (await sign_in(visitor, email, password)).status_code == 200
    assert (await sign_in(visitor, email, password + " ")).status_code == 401
    assert (await sign_in(visitor, email, password[:-1])).status_code == 401


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("password", ["", "7 chars", "日本語の合言葉", "🐎" * 7, "x y" * 43, "🐎" * 129, "a" * 50_000])
async def test_a_shorter_or_longer_password_is_a_422_that_does_not_quote_it(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, way: Way, password: str
) -> None:
    response = await way(visitor, box, ada, password)

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert not password or password not in response.text
    assert (await sign_in(visitor, ada.email)).status_code == 200


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("password", "code", "detail"),
    [
        ("7 chars", "string_too_short", "String should have at least 8 characters"),
        ("🐎" * 129, "string_too_long", "String should have at most 128 characters"),
    ],
)
async def test_the_length_of_a_password_is_told_in_characters(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, way: Way, password: str, code: str, detail: str
) -> None:
    response = await way(visitor, box, ada, password)

    [fault] = response.json()["errors"]
    assert (fault["code"], fault["detail"]) == (code, detail)


async def test_so_is_that_of_other_secrets(visitor: httpx2.AsyncClient) -> None:
    response = await visitor.post(f"{RESET}/confirm", json={"token": "", "password": NEW_PASSWORD})

    [fault] = response.json()["errors"]
    assert (fault["loc"], fault["code"]) == (["body", "token"], "string_too_short")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "password",
    [
        *("password", "PassWord", "12345678", "football", "iloveyou1", "qwertyuiop"),
        *("aaaaaaaa", "        ", "\t\t\t\t\t\t\t\t", "abcabcabcabc", "a" * 128, "postern1"),
    ],
)
async def test_a_password_that_few_guesses_find_is_refused(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, way: Way, password: str
) -> None:
    response = await way(visitor, box, ada, password)

    assert (response.status_code, response.json()["code"]) == (422, "password_too_weak")
    assert (await sign_in(visitor, ada.email)).status_code == 200


@pytest.mark.parametrize(
    "password", ["ada@example.com", "ADA@EXAMPLE.COM1", "zyx.example", "zyxwolfgram", "Wolfgram Zyx"]
)
async def test_ones_own_name_or_address_is_no_password(visitor: httpx2.AsyncClient, password: str) -> None:
    new = {"email": "ada@example.com", "name": "Zyx Wolfgram", "password": password}

    refused = await visitor.post(USERS, json=new)
    other = await visitor.post(USERS, json=new | {"email": "grace@elsewhere.org", "password": PASSWORD})

    assert (refused.status_code, refused.json()["code"]) == (422, "password_too_weak")
    assert other.status_code == 201


@pytest.mark.parametrize("way", [by_changing_it, by_a_link])
async def test_nor_is_it_later(visitor: httpx2.AsyncClient, box: Mailbox, ada: User, way: Way) -> None:
    response = await way(visitor, box, ada, str(ada.email))

    assert (response.status_code, response.json()["code"]) == (422, "password_too_weak")


async def test_a_change_asks_for_the_old_password(visitor: httpx2.AsyncClient, ada: User) -> None:
    tokens = await tokens_of(visitor, ada.email)

    for wrong in ("", "a wrong password", PASSWORD.upper(), NEW_PASSWORD):
        response = await change_password(visitor, tokens, wrong)
        assert (response.status_code, response.json()["code"]) == (403, "password_wrong")

    assert (await sign_in(visitor, ada.email)).status_code == 200
    assert (await sign_in(visitor, ada.email, NEW_PASSWORD)).status_code == 401


async def test_a_change_ends_every_session_and_only_the_new_password_signs_in(
    visitor: httpx2.AsyncClient, ada: User, save: Save
) -> None:
    await save(new_user(email="grace@example.com", password_hash=hashed()))
    own, elsewhere = [await tokens_of(visitor, ada.email) for _ in range(2)]
    others = await tokens_of(visitor, "grace@example.com")

    response = await change_password(visitor, own, PASSWORD)

    assert response.status_code == 204
    assert await is_locked_out(visitor, own)
    assert await is_locked_out(visitor, elsewhere)
    assert await opens(visitor, others)
    assert (await sign_in(visitor, ada.email)).status_code == 401
    assert (await sign_in(visitor, ada.email, NEW_PASSWORD)).status_code == 200


@pytest.mark.parametrize("path", [USERS, f"{RESET}/confirm", f"{AUTH}/password"])
async def test_no_password_or_token_stands_in_the_log_or_the_audit_log(
    visitor: httpx2.AsyncClient,
    box: Mailbox,
    ada: User,
    connection: AsyncConnection,
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    way = {USERS: by_signing_up, f"{RESET}/confirm": by_a_link, f"{AUTH}/password": by_changing_it}[path]

    await way(visitor, box, ada, NEW_PASSWORD)
    await sign_in(visitor, ada.email, "a wrong password")

    events = (await connection.execute(text("SELECT action || changes::text FROM audit_events"))).scalars().all()
    told_of = "\n".join(events) + caplog.text
    assert path in told_of
    assert "user." in told_of
    secrets = [NEW_PASSWORD, PASSWORD, "a wrong password", "$argon2", *(mail.token for mail in box.mails)]
    assert [secret for secret in [*secrets, "@example.com"] if secret in told_of] == []


# JSON can write what isn't Unicode text: half of a surrogate pair.
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (USERS, {"email": "new@example.com", "password": "\ud800 a quiet harbour"}),
        (f"{AUTH}/refresh", {"refresh_token": "\ud800"}),
        (f"{AUTH}/password", {"current_password": "\udfff", "new_password": NEW_PASSWORD}),
        (f"{AUTH}/password", {"current_password": PASSWORD, "new_password": "\udfff a quiet harbour"}),
        (f"{RESET}/confirm", {"token": "\ud800", "password": NEW_PASSWORD}),
        (f"{RESET}/confirm", {"token": "token", "password": "\ud800 a quiet harbour"}),
        (f"{VERIFY}/confirm", {"token": "\ud800"}),
        (RESET, {"email": "\ud800@example.com"}),
    ],
)
async def test_half_a_character_is_a_422(
    visitor: httpx2.AsyncClient, ada: User, path: str, body: dict[str, str]
) -> None:
    headers = header((await tokens_of(visitor, ada.email))["access_token"])

    response = await visitor.post(
        path, content=json.dumps(body), headers={**headers, "Content-Type": "application/json"}
    )

    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-7", "utf-16", "idna", "no-such", "base64", "rot13"])
@pytest.mark.parametrize("field", ["username", "password"])
async def test_a_form_in_a_strange_encoding_is_refused_like_any_other(
    visitor: httpx2.AsyncClient, ada: User, charset: str, field: str
) -> None:
    form = {"username": "ada@example.com", "password": "wrong", field: r"\ud800+2AA-"}
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in form.items()
    )
    headers = {"Content-Type": f"multipart/form-data; charset={charset}; boundary=x"}

    response = await visitor.post(f"{AUTH}/token", content=f"{parts}--x--\r\n", headers=headers)

    assert 400 <= response.status_code < 500
