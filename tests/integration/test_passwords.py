"""Passwords: which are taken, who sets them and how, and how they are hashed."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import psycopg
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.deps import get_resources
from app.core.security import Passwords
from app.db.models import User
from tests.support.accounts import (
    AUTH,
    PASSWORD,
    USERS,
    Tokens,
    configure,
    hashed,
    is_locked_out,
    opens,
    sign_in,
    tokens_of,
    told,
)
from tests.support.application import client_of, make_settings, running, storing
from tests.support.callers import Save, header
from tests.support.database import ask, plain
from tests.support.factories import UserFactory
from tests.support.mailbox import Mailbox, mailbox
from tests.support.waiting import until_blocked

RESET = f"{AUTH}/password/reset"
VERIFY = f"{AUTH}/email/verify"
NEW = "another quiet harbour"


@pytest.fixture
async def box(app: FastAPI) -> AsyncIterator[Mailbox]:
    """Where the application's mails arrive."""
    async with mailbox() as box:
        configure(app, smtp_url=box.url())
        yield box


async def reset_token(client: httpx2.AsyncClient, box: Mailbox, user: User) -> str:
    """The token of the link that a user asks for."""
    response = await client.post(RESET, json={"email": user.email})
    assert response.status_code == 202, response.text
    return box.to(user.email)[-1].token


async def set_password(client: httpx2.AsyncClient, token: str, password: str = NEW) -> httpx2.Response:
    return await client.post(f"{RESET}/confirm", json={"token": token, "password": password})


async def change_password(client: httpx2.AsyncClient, tokens: Tokens, current: str, new: str = NEW) -> httpx2.Response:
    change = {"current_password": current, "new_password": new}
    return await client.post(f"{AUTH}/password", json=change, headers=header(tokens["access_token"]))


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
        "🐎🔋📎🐎🔋📎🐎🔋",
        "x y" * 42 + "zz",
        "🐎" * 128,
        "        8",
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
@pytest.mark.parametrize("password", ["", "7 chars", "日本語の合言葉", "🐎" * 7, "x y" * 43, "🐎" * 129, "a" * 100_000])
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
    response = await visitor.post(f"{RESET}/confirm", json={"token": "", "password": NEW})

    [fault] = response.json()["errors"]
    assert (fault["loc"], fault["code"]) == (["body", "token"], "string_too_short")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("password", ["password", "PassWord", "12345678", "football", "iloveyou1", "qwertyuiop"])
async def test_one_of_the_most_common_passwords_is_refused_in_any_case(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User, way: Way, password: str
) -> None:
    response = await way(visitor, box, ada, password)

    assert (response.status_code, response.json()["code"]) == (422, "password_too_common")
    assert (await sign_in(visitor, ada.email)).status_code == 200


async def test_a_change_asks_for_the_old_password(visitor: httpx2.AsyncClient, ada: User) -> None:
    tokens = await tokens_of(visitor, ada.email)

    for wrong in ("", "a wrong password", PASSWORD.upper(), NEW):
        response = await change_password(visitor, tokens, wrong)
        assert (response.status_code, response.json()["code"]) == (403, "password_wrong")

    assert (await sign_in(visitor, ada.email)).status_code == 200
    assert (await sign_in(visitor, ada.email, NEW)).status_code == 401


async def test_a_change_ends_every_session_and_only_the_new_password_signs_in(
    visitor: httpx2.AsyncClient, ada: User, save: Save
) -> None:
    await save(UserFactory(email="grace@example.com", password_hash=hashed()))
    own, elsewhere = [await tokens_of(visitor, ada.email) for _ in range(2)]
    others = await tokens_of(visitor, "grace@example.com")

    response = await change_password(visitor, own, PASSWORD)

    assert response.status_code == 204
    assert await is_locked_out(visitor, own)
    assert await is_locked_out(visitor, elsewhere)
    assert await opens(visitor, others)
    assert (await sign_in(visitor, ada.email)).status_code == 401
    assert (await sign_in(visitor, ada.email, NEW)).status_code == 200


async def test_an_account_without_a_password_cannot_change_it_but_can_set_it_by_a_link(
    visitor: httpx2.AsyncClient, box: Mailbox
) -> None:
    user = UserFactory.build(email="new@example.com")
    await visitor.post(USERS, json={"email": user.email})
    assert (await sign_in(visitor, user.email, NEW)).status_code == 401

    response = await set_password(visitor, await reset_token(visitor, box, user))

    assert response.status_code == 204
    assert (await sign_in(visitor, user.email, NEW)).status_code == 200


async def test_a_link_sets_the_password_and_ends_every_session(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User
) -> None:
    tokens = await tokens_of(visitor, ada.email)

    response = await set_password(visitor, await reset_token(visitor, box, ada))

    assert (response.status_code, response.content) == (204, b"")
    assert await is_locked_out(visitor, tokens)
    assert (await sign_in(visitor, ada.email)).status_code == 401
    assert (await sign_in(visitor, ada.email, NEW)).status_code == 200


async def test_a_link_works_once(visitor: httpx2.AsyncClient, box: Mailbox, ada: User) -> None:
    token = await reset_token(visitor, box, ada)
    await set_password(visitor, token)

    again = await set_password(visitor, token, "a third quiet harbour")

    assert (again.status_code, again.json()["code"]) == (422, "token_refused")
    assert (await sign_in(visitor, ada.email, NEW)).status_code == 200


async def test_a_password_that_is_refused_does_not_use_the_link_up(
    visitor: httpx2.AsyncClient, box: Mailbox, ada: User
) -> None:
    token = await reset_token(visitor, box, ada)

    refused = [await set_password(visitor, token, password) for password in ("short", "password")]

    assert [response.status_code for response in refused] == [422, 422]
    assert (await set_password(visitor, token)).status_code == 204


async def test_of_two_uses_of_a_link_at_once_one_wins(live_url: URL) -> None:
    passwords = [NEW, "a third quiet harbour"]
    async with mailbox() as box, running(live_url, smtp_url=box.url()) as app, client_of(app, headers={}) as client:
        ada = UserFactory(email="ada@example.com", password_hash=hashed())
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
    sets = await reset_token(visitor, box, UserFactory.build(email="new@example.com"))

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
        UserFactory(email="gone@example.com", password_hash=hashed(), is_active=False),
        UserFactory(email="none@example.com", email_verified_at=None),
        UserFactory(email=None, name="Imported"),
    )
    asked = ["ada@example.com", "ADA@example.com", "unknown@example.com", "gone@example.com", "none@example.com"]

    answers = [await visitor.post(path, json={"email": email}) for email in asked]

    assert answers[0].status_code == 202
    assert [told(each) for each in answers] == [told(answers[0])] * len(asked)
    confirmed = [] if path == VERIFY else ["ada@example.com"] * 2
    assert [mail.to for mail in box.mails] == [[email] for email in (*confirmed, "none@example.com")]


class Gate:
    """A hasher that notes who calls it, and lets nobody through before it is opened."""

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        self._lock = threading.Lock()
        self.opened = threading.Event()
        self.threads: set[int] = set()
        self.running = self.most = self.calls = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._hasher, name)
        return method if name == "check_needs_rehash" else lambda *args: self._pass(method, *args)

    def _pass(self, method: Callable[..., Any], *args: Any) -> Any:
        with self._lock:
            self.threads.add(threading.get_ident())
            self.calls += 1
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            assert self.opened.wait(60)
            return method(*args)
        finally:
            with self._lock:
                self.running -= 1


def gated(app: FastAPI) -> tuple[Passwords, Gate]:
    passwords: Passwords = app.state.resources.passwords
    gate = Gate(passwords._hasher)
    passwords._hasher = gate  # type: ignore[assignment]  # the gate stands in for the library's hasher
    return passwords, gate


async def until_waiting(passwords: Passwords, running: int, waiting: int) -> None:
    """Returns once so many hashes run and so many wait for their turn."""
    async with asyncio.timeout(60):
        while True:
            if passwords._limiter:
                statistics = passwords._limiter.statistics()
                if (statistics.borrowed_tokens, statistics.tasks_waiting) == (running, waiting):
                    return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_hashing_leaves_the_event_loop_alone_is_bounded_and_holds_no_connection_while_it_waits(
    live_url: URL, concurrency: int
) -> None:
    async with running(live_url, password_concurrency=concurrency, rate_limits=True) as app:
        await storing(app)(UserFactory(email="ada@example.com", password_hash=hashed()))
        passwords, gate = gated(app)
        emails = ["ada@example.com", "unknown@example.com"] * 4
        async with client_of(app, headers={}) as client:
            signing_in = [asyncio.create_task(sign_in(client, email)) for email in emails]
            signing_up = asyncio.create_task(
                client.post(USERS, json={"email": "new@example.com", "password": PASSWORD})
            )
            await until_waiting(passwords, concurrency, len(emails) + 1 - concurrency)

            held = [engine.pool.checkedout() for engine in app.state.database.engines]
            meanwhile = await client.get(USERS)
            gate.opened.set()
            statuses = [response.status_code for response in await asyncio.gather(*signing_in)]

    assert held == [0, 0]
    assert meanwhile.status_code == 200
    assert statuses == [200, 401] * 4
    assert (await signing_up).status_code == 201
    assert gate.most == concurrency
    assert gate.calls == len(emails) + 1
    assert threading.get_ident() not in gate.threads


async def test_changing_and_setting_a_password_hold_no_connection_while_they_wait(live_url: URL) -> None:
    async with mailbox() as box, running(live_url, smtp_url=box.url()) as app, client_of(app, headers={}) as client:
        ada = UserFactory(email="ada@example.com", password_hash=hashed())
        await storing(app)(ada)
        tokens, token = await tokens_of(client, ada.email), await reset_token(client, box, ada)
        passwords, gate = gated(app)
        changes = [
            asyncio.create_task(change_password(client, tokens, "a wrong password")),
            asyncio.create_task(set_password(client, token)),
        ]
        await until_waiting(passwords, 1, 1)

        held = [engine.pool.checkedout() for engine in app.state.database.engines]
        gate.opened.set()
        statuses = [response.status_code for response in await asyncio.gather(*changes)]

    assert held == [0, 0]
    assert statuses == [403, 204]


async def test_a_token_that_is_not_valid_has_nothing_hashed(
    app: FastAPI, visitor: httpx2.AsyncClient, ada: User
) -> None:
    configure(app)
    passwords = app.dependency_overrides[get_resources]().passwords
    gate = Gate(passwords._hasher)
    passwords._hasher = gate
    gate.opened.set()

    response = await set_password(visitor, "not a token")

    assert (response.status_code, gate.calls) == (422, 0)


async def test_a_sign_in_that_is_given_up_while_it_waits_makes_room_for_the_next(live_url: URL) -> None:
    async with running(live_url) as app, client_of(app, headers={}) as client:
        await storing(app)(UserFactory(email="ada@example.com", password_hash=hashed()))
        passwords, gate = gated(app)
        first, second = [asyncio.create_task(sign_in(client, "ada@example.com")) for _ in range(2)]
        await until_waiting(passwords, 1, 1)

        second.cancel()
        await asyncio.wait([second])
        gate.opened.set()

        assert second.cancelled()
        assert (await first).status_code == 200
        assert (await sign_in(client, "ada@example.com")).status_code == 200
    assert ask(live_url, "SELECT count(*) FROM auth_sessions") == [(2,)]


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

    await way(visitor, box, ada, NEW)
    await sign_in(visitor, ada.email, "a wrong password")

    events = (await connection.execute(text("SELECT action || changes::text FROM audit_events"))).scalars().all()
    told_of = "\n".join(events) + caplog.text
    assert path in told_of
    assert "user." in told_of
    secrets = [NEW, PASSWORD, "a wrong password", "$argon2", *(mail.token for mail in box.mails)]
    assert [secret for secret in [*secrets, "@example.com"] if secret in told_of] == []


# JSON can write what isn't Unicode text: half of a surrogate pair.
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (USERS, {"email": "new@example.com", "password": "\ud800 a quiet harbour"}),
        (f"{AUTH}/refresh", {"refresh_token": "\ud800"}),
        (f"{AUTH}/password", {"current_password": "\udfff", "new_password": NEW}),
        (f"{AUTH}/password", {"current_password": PASSWORD, "new_password": "\udfff a quiet harbour"}),
        (f"{RESET}/confirm", {"token": "\ud800", "password": NEW}),
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


async def test_refusing_a_hash_of_weaker_parameters_takes_as_long_as_another_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passwords = Passwords(make_settings(password_time_cost=2, password_memory_kib=64))
    weak = PasswordHasher(1, 64, parallelism=1).hash(PASSWORD)
    slept: list[float] = []
    monkeypatch.setattr("app.core.security.sleep", slept.append)
    monkeypatch.setattr("app.core.security.perf_counter", iter(range(100)).__next__)
    passwords._refusals = deque([30.0])

    assert not await passwords.verify("a wrong password", weak)
    assert not await passwords.verify("a wrong password", "no hash at all")
    assert slept == pytest.approx([29.0, 29.0], abs=0.001)
    assert await passwords.verify(PASSWORD, weak)
    assert not await passwords.verify("a wrong password", None)
    assert not await passwords.verify("a wrong password", await passwords.hash(PASSWORD))
    assert len(slept) == 2, "whoever is let in is told anyway, and the others give the measure"
    assert list(passwords._refusals) == [30.0, 1, 1]
