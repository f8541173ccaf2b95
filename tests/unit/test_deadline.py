"""A request is cancelled when its time is up."""

import asyncio

import pytest

from app.api import deadline
from app.api.deadline import Deadline


async def test_a_block_in_time_is_left_alone() -> None:
    with Deadline(60) as limit:
        limit.start()

    assert not limit.has_passed


async def test_a_block_out_of_time_is_cancelled_and_its_task_goes_on() -> None:
    with Deadline(0.01) as limit:
        limit.start()
        await asyncio.Event().wait()

    assert limit.has_passed
    await asyncio.sleep(0)


async def test_what_waits_in_spite_of_that_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "CLEAN_UP", 0.01)
    async with asyncio.timeout(10):
        with Deadline(0.01) as limit:
            limit.start()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.Event().wait()

    assert limit.has_passed


async def test_what_answers_in_spite_of_that_is_not_cancelled_afterwards() -> None:
    with Deadline(0.01) as limit:
        limit.start()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            answer = "the truth about a COMMIT"

    assert answer
    await asyncio.sleep(0)


async def test_somebody_elses_cancellation_is_not_swallowed() -> None:
    async def request() -> None:
        with Deadline(60) as limit:
            limit.start()
            await asyncio.Event().wait()

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
