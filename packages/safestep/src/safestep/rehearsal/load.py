"""Traffic at a constant rate, whatever the answers do: a stall makes requests late, and never makes them fewer."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from safestep.rehearsal.client import SUCCESS, Answer
from safestep.rehearsal.mix import Kind, Requests

TRANSPORT = (OSError, EOFError, ValueError)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: when it was due on the monotonic clock, how long its answer took from then on, what went wrong."""

    due: float
    seconds: float
    kind: str
    fault: str | None


async def attempt(kind: Kind, requests: Requests, due: float | None = None) -> Sample:
    """Sends one request now; its time counts from when it was due."""
    due = monotonic() if due is None else due
    try:
        answer = await kind.send(requests)
        fault = None if answer.status in SUCCESS else _fault(answer)
    except TRANSPORT as error:
        fault = f"{type(error).__name__} {error}".strip()
    return Sample(due, monotonic() - due, kind.name, fault)


def _fault(answer: Answer) -> str:
    """The status, and the code of a problem+json."""
    try:
        return f"{answer.status} {answer.json()['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status} {answer.body[:100].decode(errors='replace')}".strip()


@dataclass
class Load:
    """Requests sent from `start` to `stop`; `samples` are those that were answered or failed."""

    requests: Requests
    kinds: Iterator[Kind]
    rate: float
    samples: list[Sample] = field(default_factory=list)
    on_sample: Callable[[Sample], None] = lambda _sample: None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._send_all())

    async def stop(self) -> None:
        """Returns when the last request has its answer."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _send_all(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        began, number = monotonic(), 0
        try:
            while True:
                due = began + number / self.rate
                # Even when late: others must get their turn, or the answers would never be read.
                await asyncio.sleep(max(0.0, due - monotonic()))
                task = asyncio.create_task(self._one(due))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                number += 1
        finally:
            if under_way:
                await asyncio.wait(under_way)

    async def _one(self, due: float) -> None:
        sample = await attempt(next(self.kinds), self.requests, due)
        self.samples.append(sample)
        self.on_sample(sample)
