"""Reads that share a query: who is answered by which, and what the trouble of one means to the others."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Executable, select
from sqlalchemy.exc import DataError

from app.core.errors import DatabaseUnavailable
from app.db import shared_reads
from app.db.models.user import User
from app.db.shared_reads import KeyedQuery, SharedReads
from tests.support.waiting import until

ONE = KeyedQuery(select(User.name), User.id, largest_batch=3)
LIST = select(User.name)


class Row(NamedTuple):
    shared_read_key: str
    query: int


class Database:
    """Answers every query with its number, when it is let to."""

    def __init__(self) -> None:
        self.queries: list[list[str]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.hanging: set[int] = set()
        self.cancelled: set[int] = set()
        self.error: Exception | None = None
        self.refused = ""

    async def fetch(self, _: Executable, parameters: Mapping[str, Any]) -> Sequence[Row]:
        keys = list(parameters.get("keys", parameters.values()))
        self.queries.append(keys)
        number = len(self.queries)
        await self.may_answer.wait()
        if number in self.hanging:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.add(number)
        if self.error:
            raise self.error
        if self.refused in keys:
            raise DataError("", {}, Exception())
        return [Row(key, number) for key in keys if key != "absent"]


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def reads(database: Database) -> SharedReads:
    return SharedReads(database.fetch)


async def begun(database: Database, queries: int) -> None:
    await until(lambda: len(database.queries) >= queries)


async def test_reads_that_wait_at_the_same_time_share_a_query(database: Database, reads: SharedReads) -> None:
    rows = await asyncio.gather(*(reads.one(ONE, key) for key in ("a", "b", "a", "absent")))

    assert database.queries == [["a", "b", "absent"]]
    assert rows == [Row("a", 1), Row("b", 1), Row("a", 1), None]


async def test_whoever_comes_while_a_query_runs_is_answered_by_the_next(database: Database, reads: SharedReads) -> None:
    database.may_answer.clear()
    first = asyncio.create_task(reads.one(ONE, "a"))
    await begun(database, 1)
    second = asyncio.create_task(reads.one(ONE, "a"))
    await asyncio.sleep(0)
    database.may_answer.set()

    assert [await first, await second] == [Row("a", 1), Row("a", 2)]


async def test_a_query_has_no_more_keys_than_its_kind_allows(database: Database, reads: SharedReads) -> None:
    rows = await asyncio.gather(*(reads.one(ONE, key) for key in "abcde"))

    assert database.queries == [["a", "b", "c"], ["d", "e"]]
    assert [row.shared_read_key for row in rows if row] == [*"abcde"]


async def test_a_query_that_hangs_keeps_nobody_else_waiting(
    database: Database, reads: SharedReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_reads, "MOST_QUERIES", 2)
    database.hanging = {1}
    hanging = asyncio.create_task(reads.one(ONE, "a"))
    await begun(database, 1)

    async with asyncio.timeout(20):
        answered = [await reads.one(ONE, "b") for _ in range(3)]

    assert [row.query for row in answered if row] == [2, 3, 4]
    hanging.cancel()


async def test_no_more_queries_of_a_kind_run_than_allowed(
    database: Database, reads: SharedReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_reads, "MOST_QUERIES", 2)
    monkeypatch.setattr(shared_reads, "PATIENCE", 0)
    database.may_answer.clear()
    asked = []
    for key in "abcd":
        asked.append(asyncio.create_task(reads.one(ONE, key)))
        for _ in range(10):
            await asyncio.sleep(0)

    assert database.queries == [["a"], ["b"]]
    database.may_answer.set()
    assert [row.shared_read_key for task in asked if (row := await task)] == [*"abcd"]


async def test_whoever_is_cancelled_takes_nobody_along(database: Database, reads: SharedReads) -> None:
    database.may_answer.clear()
    cancelled, other, same = (asyncio.create_task(reads.one(ONE, key)) for key in ("a", "b", "a"))
    await begun(database, 1)

    cancelled.cancel()
    with suppress(asyncio.CancelledError):
        await cancelled
    database.may_answer.set()

    assert [await other, await same] == [Row("b", 1), Row("a", 1)]


async def test_a_query_that_nobody_waits_for_any_longer_is_cancelled(database: Database, reads: SharedReads) -> None:
    database.hanging = {1}
    asked = [asyncio.create_task(reads.one(ONE, key)) for key in "ab"]
    await begun(database, 1)

    for task in asked:
        task.cancel()
    await asyncio.wait(asked)

    assert await reads.one(ONE, "c") == Row("c", 2)
    assert database.cancelled == {1}


async def test_closing_ends_what_still_runs(database: Database, reads: SharedReads) -> None:
    database.hanging = {1}
    asked = asyncio.create_task(reads.one(ONE, "a"))
    await begun(database, 1)

    await reads.close()

    with pytest.raises(asyncio.CancelledError):
        await asked
    assert database.cancelled == {1}


async def test_a_key_that_the_database_refuses_fails_alone(database: Database, reads: SharedReads) -> None:
    database.refused = "b"

    first, refused, last = await asyncio.gather(*(reads.one(ONE, key) for key in "abc"), return_exceptions=True)

    assert [first, last] == [Row("a", 2), Row("c", 4)]
    assert isinstance(refused, DataError)


async def test_a_database_that_is_away_is_asked_once_for_all(database: Database, reads: SharedReads) -> None:
    database.error = DatabaseUnavailable()

    outcomes = await asyncio.gather(*(reads.one(ONE, key) for key in "abc"), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {DatabaseUnavailable}
    assert len(database.queries) == 1


async def test_lists_are_shared_by_those_who_ask_for_the_same(database: Database, reads: SharedReads) -> None:
    lists = await asyncio.gather(*(reads.all(LIST, {"after": after}) for after in ("a", "b", "a")))

    assert database.queries == [["a"], ["b"]]
    assert lists == [[Row("a", 1)], [Row("b", 2)], [Row("a", 1)]]


async def test_a_read_that_ends_before_its_query_begins_asks_nothing(database: Database, reads: SharedReads) -> None:
    database.may_answer.clear()
    first, second = asyncio.create_task(reads.one(ONE, "a")), asyncio.create_task(reads.one(ONE, "b"))
    await begun(database, 1)
    third = asyncio.create_task(reads.one(ONE, "c"))
    await asyncio.sleep(0)

    third.cancel()
    database.may_answer.set()
    await asyncio.wait([first, second, third])

    await until(lambda: reads._kinds == {})
    assert database.queries == [["a", "b"]]


async def test_nothing_is_kept_of_reads_that_ended(database: Database, reads: SharedReads) -> None:
    await reads.all(LIST, {"after": "a"})
    cancelled = asyncio.create_task(reads.all(LIST, {"after": "b"}))
    await begun(database, 2)
    cancelled.cancel()
    await reads.one(ONE, "a")

    assert reads._kinds == {}
