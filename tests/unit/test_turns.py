"""Places go round among those who wait for them."""

import asyncio
from asyncio import Task

import pytest

from app.db.turns import NO_SUBJECT, Turns

HOT, COLD = "/posts/1", "/posts/2"


async def settle() -> None:
    """Lets every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


def taking(turns: Turns, subject: str, seconds: float = 60) -> Task[None]:
    return asyncio.create_task(turns.take(subject, seconds))


async def test_one_subject_gets_half_of_the_places() -> None:
    turns = Turns(4)
    hot = [taking(turns, HOT) for _ in range(10)]
    await settle()

    cold = [taking(turns, COLD) for _ in range(3)]
    await settle()

    assert [task.done() for task in hot] == [True] * 2 + [False] * 8
    assert [task.done() for task in cold] == [True, True, False]


async def test_a_single_place_can_be_had() -> None:
    await Turns(1).take(HOT, 60)


async def test_subjects_take_turns_at_what_gets_free() -> None:
    turns = Turns(2)
    for subject in (HOT, COLD):
        await turns.take(subject, 60)
    first, second = taking(turns, HOT), taking(turns, HOT)
    await settle()
    third = taking(turns, COLD)
    await settle()

    turns.give(HOT)
    turns.give(COLD)
    await settle()

    assert [task.done() for task in (first, second, third)] == [True, False, True]


async def test_who_has_no_subject_comes_first_and_may_have_all() -> None:
    turns = Turns(2)
    for _ in range(2):
        await turns.take(NO_SUBJECT, 60)
    later, first = taking(turns, HOT), taking(turns, NO_SUBJECT)
    await settle()

    turns.give(NO_SUBJECT)
    await settle()

    assert (first.done(), later.done()) == (True, False)


async def test_who_waits_too_long_is_refused_and_holds_up_nobody() -> None:
    turns = Turns(1)
    await turns.take(HOT, 60)

    with pytest.raises(TimeoutError):
        await turns.take(HOT, 0.01)

    turns.give(HOT)
    await turns.take(COLD, 60)


async def test_a_place_that_comes_together_with_a_cancellation_goes_to_the_next() -> None:
    turns = Turns(1)
    await turns.take(HOT, 60)
    cancelled, following = taking(turns, HOT), taking(turns, COLD)
    await settle()

    turns.give(HOT)
    cancelled.cancel()
    await settle()

    assert cancelled.cancelled()
    assert following.done()
