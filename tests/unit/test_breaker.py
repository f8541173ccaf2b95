"""A database that is away is looked for by one request at a time."""

import asyncio

import pytest

from app.core.errors import DatabaseUnavailable
from app.db.breaker import PAUSE, Breaker


class Server:
    """Counts who asks for a connection; they get one, or an error, when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.outcome: BaseException | None = ConnectionRefusedError()
        self.answers = asyncio.Event()
        self.answers.set()

    async def connect(self) -> str:
        self.asked += 1
        await self.answers.wait()
        if self.outcome:
            raise self.outcome
        return "a connection"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def refused(breaker: Breaker, server: Server) -> bool:
    try:
        await breaker.connect(server.connect)
    except DatabaseUnavailable:
        return True
    return False


async def test_nobody_looks_again_before_the_pause_is_over() -> None:
    server, clock = Server(), Clock()
    breaker = Breaker(clock=clock)

    assert [await refused(breaker, server) for _ in range(10)] == [True] * 10
    assert server.asked == 1
    clock.now += PAUSE
    assert [await refused(breaker, server) for _ in range(10)] == [True] * 10
    assert server.asked == 2


async def test_one_looks_while_the_others_fail_at_once() -> None:
    server, clock = Server(), Clock()
    breaker = Breaker(clock=clock)
    assert await refused(breaker, server)
    server.answers.clear()
    clock.now += PAUSE

    probe = asyncio.create_task(refused(breaker, server))
    while server.asked < 2:  # noqa: ASYNC110 - the task has to begin
        await asyncio.sleep(0)
    assert await refused(breaker, server)
    assert server.asked == 2

    server.outcome = None
    server.answers.set()
    assert not await probe
    assert [await refused(breaker, server) for _ in range(10)] == [False] * 10
    assert server.asked == 12


async def test_a_probe_that_is_given_up_leaves_its_place_to_another() -> None:
    server, clock = Server(), Clock()
    breaker = Breaker(clock=clock)
    assert await refused(breaker, server)
    server.answers.clear()
    clock.now += PAUSE
    probe = asyncio.create_task(refused(breaker, server))
    while server.asked < 2:  # noqa: ASYNC110 - the task has to begin
        await asyncio.sleep(0)

    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    server.outcome = None
    server.answers.set()

    assert not await refused(breaker, server)


async def test_other_errors_pass_and_open_nothing() -> None:
    server = Server()
    server.outcome = ValueError("a fault of ours")
    breaker = Breaker()

    for _ in range(2):
        with pytest.raises(ValueError, match="a fault of ours"):
            await breaker.connect(server.connect)

    assert server.asked == 2
