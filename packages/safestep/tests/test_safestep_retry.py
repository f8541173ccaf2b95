"""When a migration tries again, by a clock that the test winds."""

from collections.abc import Sequence

import pytest
from alembic.util import CommandError
from safestep.migrations import retry
from safestep.migrations.lock import Blocker
from safestep.migrations.retry import RetryPolicy
from safestep.project import Limits

BLOCKER = Blocker(7, "3/12", "pid 7 (psql)")


class Clock:
    """Time passes by sleeping alone; the transaction in the way is open until `closes`."""

    def __init__(self, closes: float) -> None:
        self.now = 0.0
        self.closes = closes
        self.said: list[str] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def are_open(self, blockers: Sequence[Blocker]) -> bool:
        return bool(blockers) and self.now < self.closes


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(closes=0)
    monkeypatch.setattr(retry, "monotonic", clock.monotonic)
    monkeypatch.setattr("safestep.migrations.retry.asyncio.sleep", clock.sleep)
    monkeypatch.setattr("safestep.migrations.retry.random.uniform", lambda *_: 1)
    return clock


def policy(clock: Clock, attempts: int = 12) -> RetryPolicy:
    return RetryPolicy(Limits(attempts=attempts, retry_delay=1), clock.said.append, clock.are_open)


@pytest.mark.parametrize(("failed", "seconds"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (11, 30)])
async def test_when_nobody_knows_who_was_in_the_way_it_waits_twice_as_long_each_time(
    clock: Clock, failed: int, seconds: float
) -> None:
    assert await policy(clock).wait("one", failed, "a deadlock", []) == failed
    assert clock.now == seconds
    assert clock.said == [
        f"one: attempt {failed} of 12: a deadlock; "
        f"blocked by unknown (gone before it was looked at); again in {seconds:.1f} s"
    ]


@pytest.mark.parametrize(("failed", "seconds"), [(1, 1), (3, 3), (6, 6)])
async def test_who_is_gone_is_not_waited_for_but_those_who_queued_flow_off_first(
    clock: Clock, failed: int, seconds: float
) -> None:
    assert await policy(clock).wait("one", failed, "blocked", [BLOCKER]) == failed
    assert clock.now == seconds


async def test_an_attempt_comes_soon_after_the_transaction_in_the_way_ends(clock: Clock) -> None:
    clock.closes = 40  # in the delay of the sixth, which began at 31 and would last until 61

    assert await policy(clock).wait("one", 1, "blocked", [BLOCKER]) == 6
    assert clock.closes <= clock.now <= clock.closes + retry.POLL_INTERVAL


async def test_while_it_is_open_attempts_pass_without_being_made_except_the_last(clock: Clock) -> None:
    clock.closes = 1e9

    assert await policy(clock, attempts=4).wait("one", 1, "blocked", [BLOCKER]) == 3
    assert clock.said == [
        "one: attempt 1 of 4: blocked; blocked by pid 7 (psql); again in 1.0 s",
        "one: attempt 2 of 4: not tried, for the transaction of pid 7 is still open; again in 2.0 s",
        "one: attempt 3 of 4: not tried, for the transaction of pid 7 is still open; again in 4.0 s",
    ]


async def test_after_the_last_it_gives_up_in_one_line(clock: Clock) -> None:
    with pytest.raises(CommandError) as raised:
        await policy(clock, attempts=4).wait("one", 4, "a deadlock", [BLOCKER])

    assert str(raised.value) == "one: gave up after attempt 4 of 4: a deadlock; blocked by pid 7 (psql)"
    assert clock.now == 0
