"""How passwords are hashed: off the event loop, a few at a time, without a connection, in the time of any other."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy.engine import URL

from app.api.deps import get_process_context
from app.core.security import Passwords
from app.db.models.user import User
from tests.support.accounts import (
    PASSWORD,
    USERS,
    configure,
    hashed,
    sign_in,
    tokens_of,
)
from tests.support.application import client_of, make_settings, running, storing
from tests.support.database import ask
from tests.support.links import change_password, reset_token, set_password
from tests.support.mailbox import mailbox
from tests.support.users import new_user


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
    passwords: Passwords = app.state.process_context.passwords
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
        await storing(app)(new_user(email="ada@example.com", password_hash=hashed()))
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
        ada = new_user(email="ada@example.com", password_hash=hashed())
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
    passwords = app.dependency_overrides[get_process_context]().passwords
    gate = Gate(passwords._hasher)
    passwords._hasher = gate
    gate.opened.set()

    response = await set_password(visitor, "not a token")

    assert (response.status_code, gate.calls) == (422, 0)


async def test_a_sign_in_that_is_given_up_while_it_waits_makes_room_for_the_next(live_url: URL) -> None:
    async with running(live_url) as app, client_of(app, headers={}) as client:
        await storing(app)(new_user(email="ada@example.com", password_hash=hashed()))
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
