"""Limits on what can be guessed or flooded, counted for all workers together."""

import asyncio
import re
from collections import Counter

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.deps import get_settings
from app.core.errors import InvalidSettings
from tests.support.accounts import AUTH, PASSWORD, USERS, hashed
from tests.support.application import make_settings, running
from tests.support.attempts import ATTEMPTS, LIMITS, STORAGES, attempt, client_at, is_limited, use_limits
from tests.support.callers import ADMIN, Callers, Save
from tests.support.database import ask, count
from tests.support.users import new_user


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
    others = await callers.signed_in(new_user(password_hash=hashed()))
    use_limits(app, rate_limit_sign_in_account="2/minute")
    change = {"current_password": "a guess", "new_password": "another long one"}
    async with client_at(app, "192.0.2.1", **headers) as client:
        answers = [(await client.post(f"{AUTH}/password", json=change)).status_code for _ in range(3)]
        other = await client.post(f"{AUTH}/password", json=change, headers=others)

    assert answers == [403, 403, 429]
    assert other.status_code == 403


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
    use_limits(app, rate_limit_sign_in_address="1/hour")
    settings = make_settings(rate_limits=False, rate_limit_sign_in_address="1/hour")
    app.dependency_overrides[get_settings] = lambda: settings
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


@pytest.mark.no_cover  # for the same reason as in test_contention.py
async def test_of_two_hundred_attempts_at_two_workers_exactly_the_limit_is_allowed(live_url: URL) -> None:
    # Many requests share few connections: here the queue may be as long as it takes.
    settings = LIMITS | {"rate_limit_sign_in_total": "20/hour", "db_pool_timeout": 300, "db_lock_timeout": 60}
    settings |= {"db_statement_timeout": 60, "db_connect_timeout": 60, "password_concurrency": 4}
    settings |= {"request_timeout": 300}
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
