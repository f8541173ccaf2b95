"""Limits on what can be guessed or flooded, counted for all workers together."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from limits import parse
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import Receive, Scope, Send

from app.core.config import Settings
from app.core.errors import InvalidSettings
from app.db.models.user import User
from tests.support.accounts import AUTH, NEW_PASSWORD, PASSWORD, USERS, configure, hashed, sign_in
from tests.support.application import client_of, make_settings, running
from tests.support.callers import ADMIN, Callers, Save
from tests.support.database import ask, count
from tests.support.laws import ROOT
from tests.support.links import reset_token, set_password
from tests.support.mailbox import Mailbox
from tests.support.users import new_user

WIDE = "1000/hour"
LIMITS: dict[str, Any] = {
    f"rate_limit_{action}_{kind}": WIDE
    for action in ("sign_in", "reset", "registration")
    for kind in ("address", "account", "total")
    if (action, kind) != ("registration", "total")
}

# What each kind of attempt is limited by, and a request that makes one.
ATTEMPTS = [
    pytest.param("sign_in", "/token", "data", id="sign-in"),
    pytest.param("reset", "/password/reset", "json", id="reset"),
    pytest.param("reset", "/email/verify", "json", id="confirmation"),
    pytest.param("registration", USERS, "json", id="registration"),
]
STORAGES = pytest.mark.parametrize("storage", [None, "async+memory://"], ids=["database", "storage"])


def use_limits(app: FastAPI, **settings: Any) -> None:
    """Turns the limits on: wide but for those named here."""
    configure(app, rate_limits=True, **(LIMITS | settings))


@asynccontextmanager
async def client_at(app: FastAPI, address: str | None, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody unknown at this network address."""

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await app(dict(scope, client=(address, 4711) if address else None), receive, send)

    async with client_of(asgi, headers=headers) as client:
        yield client


async def attempt(
    client: httpx2.AsyncClient, path: str, kind: str, email: str, headers: dict[str, str] | None = None
) -> httpx2.Response:
    fields: dict[str, Any] = {"username": email, "password": "a guess"} if path == "/token" else {"email": email}
    options: dict[str, Any] = {kind: fields}
    return await client.post(path if path == USERS else AUTH + path, headers=headers, **options)


def is_limited(response: httpx2.Response) -> bool:
    return response.status_code == 429


@STORAGES
@pytest.mark.parametrize(("action", "path", "kind"), ATTEMPTS)
async def test_attempts_from_one_address_are_limited(
    app: FastAPI, action: str, path: str, kind: str, storage: str | None
) -> None:
    use_limits(app, rate_limit_storage=storage, **{f"rate_limit_{action}_address": "3/minute"})
    async with client_at(app, "203.0.113.7") as client, client_at(app, "203.0.113.8") as elsewhere:
        answers = [await attempt(client, path, kind, f"a{n}@example.com") for n in range(5)]
        other = await attempt(elsewhere, path, kind, "b@example.com")

    assert [is_limited(answer) for answer in answers] == [False, False, False, True, True]
    assert not is_limited(other)


@STORAGES
@pytest.mark.parametrize(("action", "path", "kind"), ATTEMPTS)
async def test_attempts_on_one_account_are_limited_however_it_is_written_and_for_their_network_alone(
    app: FastAPI, action: str, path: str, kind: str, storage: str | None
) -> None:
    use_limits(app, rate_limit_storage=storage, **{f"rate_limit_{action}_account": "2/minute"})
    emails = ("ada@example.com", "ADA@example.com", "Ada@Example.COM", "grace@example.com")
    async with client_at(app, "203.0.113.7") as client, client_at(app, "203.0.113.8") as elsewhere:
        answers = [await attempt(client, path, kind, email) for email in emails]
        other = await attempt(elsewhere, path, kind, "ada@example.com")

    assert [is_limited(answer) for answer in answers] == [False, False, True, False]
    assert not is_limited(other)


@STORAGES
@pytest.mark.parametrize(("action", "path", "kind"), ATTEMPTS[:3])
async def test_what_many_networks_do_to_one_account_is_limited_together(
    app: FastAPI, action: str, path: str, kind: str, storage: str | None
) -> None:
    use_limits(app, rate_limit_storage=storage, **{f"rate_limit_{action}_total": "2/minute"})
    answers = []
    for n, email in enumerate(("ada@example.com", "ADA@example.com", "Ada@Example.COM", "grace@example.com")):
        async with client_at(app, f"203.0.113.{n}") as client:
            answers.append(await attempt(client, path, kind, email))

    assert [is_limited(answer) for answer in answers] == [False, False, True, False]


@STORAGES
async def test_whatever_many_networks_do_the_owner_is_let_in_from_where_they_were_before(
    app: FastAPI, ada: User, storage: str | None
) -> None:
    use_limits(app, rate_limit_storage=storage, rate_limit_sign_in_total="3/hour", rate_limit_reset_total="3/hour")
    async with client_at(app, "203.0.113.7") as home, client_at(app, "198.51.100.1") as abroad:
        assert (await sign_in(home, ada.email)).status_code == 200
        for n in range(5):
            async with client_at(app, f"192.0.2.{n}") as attacker:
                for path, kind in (("/token", "data"), ("/password/reset", "json"), ("/email/verify", "json")):
                    await attempt(attacker, path, kind, str(ada.email))
        refused = await sign_in(abroad, ada.email)
        known = await sign_in(home, ada.email)
        link = await attempt(home, "/password/reset", "json", str(ada.email))

    assert (refused.status_code, known.status_code, link.status_code) == (429, 200, 202)


async def test_whoever_sets_a_password_by_a_link_is_let_in_from_there(
    app: FastAPI, visitor: httpx2.AsyncClient, box: Mailbox, ada: User
) -> None:
    token = await reset_token(visitor, box, ada)
    app.state.settings = make_settings(rate_limits=True, **LIMITS | {"rate_limit_sign_in_total": "1/hour"})
    async with client_at(app, "192.0.2.1") as attacker, client_at(app, "203.0.113.7") as owner:
        await attempt(attacker, "/token", "data", str(ada.email))
        before = await sign_in(owner, ada.email)
        assert (await set_password(owner, token)).status_code == 204
        after = await sign_in(owner, ada.email, NEW_PASSWORD)

    assert (before.status_code, after.status_code) == (429, 200)


async def test_confirmations_that_send_nothing_dont_use_up_the_resets(app: FastAPI, ada: User) -> None:
    use_limits(app, rate_limit_reset_total="2/hour")
    async with client_at(app, "192.0.2.1") as attacker, client_at(app, "203.0.113.7") as owner:
        for _ in range(5):
            await attempt(attacker, "/email/verify", "json", str(ada.email))
        answer = await attempt(owner, "/password/reset", "json", str(ada.email))

    assert answer.status_code == 202


async def test_nobody_uses_up_the_registrations_of_an_address(app: FastAPI) -> None:
    use_limits(app, rate_limit_registration_account="1/hour")
    for n in range(20):
        async with client_at(app, f"192.0.2.{n}") as attacker:
            weak = {"email": "ada@example.com", "password": "aaaaaaaa"}
            assert (await attacker.post(USERS, json=weak)).status_code == 422
    async with client_at(app, "203.0.113.7") as owner:
        registered = await attempt(owner, USERS, "json", "ada@example.com")

    assert registered.status_code == 201


def test_the_operations_guide_counts_the_guesses_of_a_day_right() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\|[^|]+\| `(RATE_LIMIT_\w+)`[^|]*\| ([\d,]+) \|$", guide, re.MULTILINE)
    stated = {(name, int(number.replace(",", ""))) for name, number in rows}

    limits = {name: parse(Settings.model_fields[name.lower()].default) for name, _ in stated}
    assert stated == {(name, limit.amount * 86400 // limit.get_expiry()) for name, limit in limits.items()}
    assert {name.rpartition("_")[2] for name in limits} == {"ADDRESS", "ACCOUNT", "TOTAL"}


async def test_spellings_that_the_database_takes_for_one_address_are_counted_as_one(app: FastAPI) -> None:
    use_limits(app, rate_limit_sign_in_account="2/minute")
    async with client_at(app, "203.0.113.7") as client:
        spellings = ("victim@example.com", "v\u0130ctim@example.com", "VICT\u0130M@example.com")
        answers = [await attempt(client, "/token", "data", email) for email in spellings]

    assert [is_limited(answer) for answer in answers] == [False, False, True]


@STORAGES
async def test_a_refusal_says_when_to_come_back_in_the_words_of_the_standard(app: FastAPI, storage: str | None) -> None:
    use_limits(app, rate_limit_storage=storage, rate_limit_sign_in_account="1/minute")
    async with client_at(app, "203.0.113.7") as client:
        await attempt(client, "/token", "data", "ada@example.com")
        refused = await attempt(client, "/token", "data", "ada@example.com")

    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "rate_limited"
    seconds = int(refused.headers["retry-after"])
    assert 1 <= seconds <= 60
    # draft-ietf-httpapi-ratelimit-headers: lists of strings with parameters, as RFC 9651 writes them
    assert refused.headers["ratelimit-policy"] == '"sign_in-account";q=1;w=60'
    assert refused.headers["ratelimit"] == f'"sign_in-account";r=0;t={seconds}'


async def test_a_storage_that_isnt_there_lets_nobody_guess(app: FastAPI) -> None:
    use_limits(app, rate_limit_storage="async+redis://127.0.0.1:9")
    async with client_at(app, "203.0.113.7") as client:
        refused = await attempt(client, "/token", "data", "ada@example.com")

    assert (refused.status_code, refused.json()["code"]) == (503, "rate_limits_unavailable")
    assert refused.headers["retry-after"] == "1"


def test_a_storage_that_would_block_is_refused_at_start() -> None:
    with pytest.raises(InvalidSettings, match="RATE_LIMIT_STORAGE: write async"):
        make_settings(rate_limit_storage="redis://127.0.0.1")


async def test_a_new_window_allows_again(app: FastAPI, connection: AsyncConnection) -> None:
    use_limits(app, rate_limit_sign_in_account="1/minute")
    async with client_at(app, "203.0.113.7") as client:
        await attempt(client, "/token", "data", "ada@example.com")
        assert is_limited(await attempt(client, "/token", "data", "ada@example.com"))
        await connection.execute(text("UPDATE rate_windows SET ends_at = clock_timestamp()"))

        answers = [await attempt(client, "/token", "data", "ada@example.com") for _ in range(2)]

    assert [is_limited(answer) for answer in answers] == [False, True]


async def test_a_success_counts_too_and_the_right_password_doesnt_pass_a_limit(app: FastAPI, save: Save) -> None:
    use_limits(app, rate_limit_sign_in_account="2/minute")
    await save(new_user(email="ada@example.com", password_hash=hashed()))
    right = {"username": "ada@example.com", "password": PASSWORD}
    async with client_at(app, "203.0.113.7") as client:
        answers = [await client.post(f"{AUTH}/token", data=right) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_a_stolen_token_isnt_the_way_to_guess_the_password(app: FastAPI, callers: Callers) -> None:
    headers = await callers.signed_in(new_user(password_hash=hashed()))
    use_limits(app, rate_limit_sign_in_account="2/minute")
    change = {"current_password": "a guess", "new_password": "another long one"}
    async with client_at(app, "192.0.2.1", **headers) as client:
        answers = [(await client.post(f"{AUTH}/password", json=change)).status_code for _ in range(3)]

    assert answers == [403, 403, 429]


async def test_an_address_over_its_limit_doesnt_use_up_the_accounts(app: FastAPI, connection: AsyncConnection) -> None:
    use_limits(app, rate_limit_sign_in_address="1/minute", rate_limit_sign_in_account="2/minute")
    async with client_at(app, "203.0.113.7") as attacker, client_at(app, "203.0.113.8") as owner:
        for _ in range(5):
            await attempt(attacker, "/token", "data", "ada@example.com")
        answer = await attempt(owner, "/token", "data", "ada@example.com")

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:198.51.100.1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        (None, None, True),
    ],
)
async def test_addresses_that_one_customer_holds_count_together(
    app: FastAPI, first: str | None, second: str | None, *, together: bool
) -> None:
    use_limits(app, rate_limit_sign_in_address="1/minute")
    answers = []
    for n, address in enumerate((first, second)):
        async with client_at(app, address) as client:
            answers.append(await attempt(client, "/token", "data", f"a{n}@example.com"))

    assert [is_limited(answer) for answer in answers] == [False, together]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP"])
async def test_a_header_doesnt_make_another_address(app: FastAPI, header: str) -> None:
    use_limits(app, rate_limit_sign_in_address="1/minute")
    async with client_at(app, "203.0.113.7") as client:
        await attempt(client, "/token", "data", "a@example.com", {header: "198.51.100.1"})
        second = await attempt(client, "/token", "data", "b@example.com", {header: "198.51.100.2"})

    assert is_limited(second)


async def test_what_is_counted_names_nobody(app: FastAPI, connection: AsyncConnection) -> None:
    use_limits(app)
    async with client_at(app, "203.0.113.7") as client:
        for path, kind in (("/token", "data"), ("/password/reset", "json"), (USERS, "json")):
            await attempt(client, path, kind, "Canary@example.com")

    keys = list(await connection.scalars(text("SELECT key FROM rate_windows")))
    assert len(keys) == 8
    for key in keys:
        assert re.fullmatch(r"(sign_in|reset|registration):(address|account|total):[0-9a-f]{32}", key)


async def test_windows_that_are_over_are_forgotten(app: FastAPI, connection: AsyncConnection) -> None:
    use_limits(app)
    await connection.execute(
        text(
            "INSERT INTO rate_windows (key, count, ends_at) "
            "SELECT 'old:' || n, 1, now() - interval '1 second' FROM generate_series(1, 50) n"
        )
    )
    async with client_at(app, "203.0.113.7") as client:
        for n in range(3):
            await attempt(client, "/token", "data", f"a{n}@example.com")

    left = list(await connection.scalars(text("SELECT key FROM rate_windows")))
    assert sorted(key.partition(":")[0] for key in left) == ["sign_in"] * 7


async def test_administrators_who_create_users_arent_limited(app: FastAPI) -> None:
    use_limits(app, rate_limit_registration_address="1/hour")
    async with client_at(app, "203.0.113.7", **ADMIN) as client:
        answers = [await attempt(client, USERS, "json", f"a{n}@example.com") for n in range(3)]

    assert [answer.status_code for answer in answers] == [201] * 3


async def test_a_duplicate_registration_counts(app: FastAPI) -> None:
    use_limits(app, rate_limit_registration_account="2/hour")
    async with client_at(app, "203.0.113.7") as client:
        answers = [await attempt(client, USERS, "json", "ada@example.com") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 409, 429]


async def test_limits_can_be_turned_off(app: FastAPI, connection: AsyncConnection) -> None:
    configure(app, rate_limits=False, rate_limit_sign_in_address="1/hour")
    async with client_at(app, "203.0.113.7") as client:
        answers = [await attempt(client, "/token", "data", "ada@example.com") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert await connection.scalar(text("SELECT count(*) FROM rate_windows")) == 0


async def test_the_count_outlives_the_rollback_of_what_it_refused(live_url: URL) -> None:
    limits = LIMITS | {"rate_limit_registration_account": "1/hour"}
    async with running(live_url, rate_limits=True, **limits) as app, client_at(app, "203.0.113.7") as client:
        ask(live_url, "CREATE RULE nobody AS ON INSERT TO audit_events DO INSTEAD SELECT 1 / 0")
        failed = await attempt(client, USERS, "json", "ada@example.com")
        refused = await attempt(client, USERS, "json", "ada@example.com")

    assert (failed.status_code, refused.status_code) == (500, 429)
    assert count(live_url, "users") == 0


async def test_of_two_hundred_attempts_at_two_workers_exactly_the_limit_is_allowed(live_url: URL) -> None:
    # Many requests share few connections: here the queue may be as long as it takes.
    settings = LIMITS | {"rate_limit_sign_in_total": "20/hour", "db_pool_timeout": 300, "db_lock_timeout": 60}
    settings |= {"db_statement_timeout": 60, "db_connect_timeout": 60, "password_concurrency": 4}
    async with (
        running(live_url, rate_limits=True, **settings) as one,
        running(live_url, rate_limits=True, **settings) as another,
        client_at(one, "203.0.113.7") as first,
        client_at(another, "203.0.113.8") as second,
    ):
        attempts = [attempt(client, "/token", "data", "ada@example.com") for client in (first, second) * 100]
        answers = Counter(answer.status_code for answer in await asyncio.gather(*attempts))

    assert answers == {401: 20, 429: 180}
    assert ask(live_url, "SELECT count FROM rate_windows WHERE key LIKE 'sign_in:total:%'") == [(200,)]
