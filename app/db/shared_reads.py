"""Reads that share: one query answers all that wait for it, and begins after the last of them came.

So nobody gets what is older than their question, and a read that is alone doesn't wait for others. Rows are shared, not
answers: services decide for each caller what may be seen of a row.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

from opentelemetry.context import Context
from sqlalchemy import ARRAY, Executable, Select, any_, bindparam
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute

from app.core import tracing
from app.core.metrics import SHARED_READS

PATIENCE = 0.01  # seconds that reads wait for the query before theirs
MOST_QUERIES = 4  # of one kind at a time, when they are slow

type Fetch = Callable[[Executable, Mapping[str, Any]], Awaitable[Sequence[Any]]]
type Batch[Key] = dict[Key, list[asyncio.Future[Any]]]
"""Who waits for each key."""
type Answer[Key] = Callable[[Sequence[Key]], Awaitable[Mapping[Key, Any]]]


class KeyedQuery:
    """A query of one row by a unique column, built once, that can fetch the rows of many keys.

    `largest_batch` bounds the keys of one query: fewer where rows are large.
    """

    def __init__(
        self, statement: Select[*tuple[Any, ...]], key: InstrumentedAttribute[Any], *, largest_batch: int = 100
    ) -> None:
        keys = bindparam("keys", type_=ARRAY(key.type))
        self.statement = statement.add_columns(key.label("shared_read_key")).where(key == any_(keys))
        self.largest_batch = largest_batch


class SharedReads:
    """The reads of one process that are under way. `fetch` runs a query, and may be called concurrently."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._kinds: dict[Hashable, _Kind[Any]] = {}

    async def one(self, query: KeyedQuery, key: Hashable) -> Any | None:
        """The row of this key, or None."""

        async def answer(keys: Sequence[Hashable]) -> Mapping[Hashable, Any]:
            rows = await self._fetch(query.statement, {"keys": list(keys)})
            return {row.shared_read_key: row for row in rows}

        return await self._ask(query, key, answer, query.largest_batch)

    async def all(self, statement: Executable, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """All rows; shared by those who ask for the same with the same parameters."""

        async def answer(_: Sequence[None]) -> Mapping[None, Sequence[Any]]:
            return {None: await self._fetch(statement, parameters)}

        rows: Sequence[Any] = await self._ask((statement, *parameters.values()), None, answer, 1)
        return rows

    async def close(self) -> None:
        """Cancels the queries that still run, and returns when their connections are back."""
        running = [task for reads in self._kinds.values() for task in reads.running]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _ask[Key](self, kind: Hashable, key: Key, answer: Answer[Key], largest_batch: int) -> Any:
        reads = self._kinds.get(kind)
        if reads is None:
            reads = _Kind(answer, largest_batch, when_idle=lambda: self._kinds.pop(kind, None))
            self._kinds[kind] = reads
        try:
            return await reads.ask(key)
        except asyncio.CancelledError:
            reads.give_up_unwanted()
            raise


class _Kind[Key]:
    """Reads that one query can answer: those that wait for the next one, and how many run."""

    def __init__(self, answer: Answer[Key], largest_batch: int, *, when_idle: Callable[[], object]) -> None:
        self._answer = answer
        self._largest_batch = largest_batch
        self._when_idle = when_idle
        self._waiting: Batch[Key] = {}
        self.running: dict[asyncio.Task[Mapping[Key, Any]], Batch[Key]] = {}
        self._next: asyncio.Handle | None = None
        self._trace: Context | None = None

    def ask(self, key: Key) -> asyncio.Future[Any]:
        """Each who asks has a future of their own, so that its cancellation touches nobody else."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            self._trace = tracing.current()
        self._waiting.setdefault(key, []).append(future)
        if self._next is None:
            # Not at once: whoever asks in the same turn of the event loop is taken along.
            self._next = loop.call_later(PATIENCE, self._begin) if self.running else loop.call_soon(self._begin)
        return future

    def give_up_unwanted(self) -> None:
        """Cancels the queries that nobody waits for any longer."""
        for task, batch in self.running.items():
            if not any(map(_is_wanted, batch.values())):
                task.cancel()

    def _begin(self) -> None:
        if self._next:
            self._next.cancel()
            self._next = None
        self._waiting = {key: futures for key, futures in self._waiting.items() if _is_wanted(futures)}
        if self._waiting and len(self.running) < MOST_QUERIES:
            keys = [*self._waiting][: self._largest_batch]
            self._start({key: self._waiting.pop(key) for key in keys})
        if not (self._waiting or self.running):
            self._when_idle()

    def _start(self, batch: Batch[Key]) -> asyncio.Task[Mapping[Key, Any]]:
        SHARED_READS.observe(sum(map(len, batch.values())))
        # It belongs to none of the requests that wait for it; its spans are told to the first one's trace.
        task = asyncio.get_running_loop().create_task(self._run(batch), context=tracing.detached(self._trace))
        self.running[task] = batch
        task.add_done_callback(partial(self._end, batch))
        return task

    async def _run(self, batch: Batch[Key]) -> Mapping[Key, Any]:
        try:
            return await self._answer([*batch])
        except DBAPIError:
            if len(batch) == 1:
                raise
        for key in [*batch]:  # the database may have refused one of them
            await asyncio.wait([self._start({key: batch.pop(key)})])
        return {}

    def _end(self, batch: Batch[Key], task: asyncio.Task[Mapping[Key, Any]]) -> None:
        self.running.pop(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        for key, futures in batch.items():
            for future in futures:
                if future.done():  # whoever asked has been cancelled
                    continue
                if error:
                    future.set_exception(error)
                else:
                    future.set_result(task.result().get(key))
        self._begin()


def _is_wanted(futures: list[asyncio.Future[Any]]) -> bool:
    return not all(future.done() for future in futures)
