"""Traffic at a constant rate, whatever the responses do: a stall makes requests late, and never makes them fewer."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

from safestep.rehearsal.http_client import SUCCESS, HttpResponse
from safestep.rehearsal.requests import Bindings
from safestep.rehearsal.workload import Request, Workload

TRANSPORT = (OSError, EOFError, ValueError)


@dataclass(frozen=True, slots=True)
class RequestResult:
    """When a request was due on the monotonic clock, how long its response took from then on, and what went wrong."""

    due: float
    seconds: float
    request: str
    fault: str | None


async def attempt(
    request: Request, workload: Workload, *, due: float | None = None, bindings: Bindings | None = None
) -> RequestResult:
    """Sends one request now; its time counts from when it was due."""
    due = monotonic() if due is None else due
    try:
        response = await workload.send(request, bindings)
        fault = None if response.status in SUCCESS else _fault(response)
    except TRANSPORT as error:
        fault = f"{type(error).__name__} {error}".strip()
    return RequestResult(due, monotonic() - due, request.name, fault)


def _fault(response: HttpResponse) -> str:
    """The status, and the code of a problem+json."""
    try:
        return f"{response.status} {response.json()['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status} {response.body[:100].decode(errors='replace')}".strip()


@dataclass
class LoadGenerator:
    """Sends requests from `start` to `stop`; `results` are of those that were answered or failed."""

    workload: Workload
    requests: Iterator[Request]
    rate: float
    results: list[RequestResult] = field(default_factory=list)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._send_all())

    async def stop(self) -> None:
        """Returns when the last request has its response."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _send_all(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        began, number = monotonic(), 0
        try:
            while True:
                due = began + number / self.rate
                # Even when late: others must get their turn, or the responses would never be read.
                await asyncio.sleep(max(0.0, due - monotonic()))
                task = asyncio.create_task(self._one(due))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                number += 1
        finally:
            if under_way:
                await asyncio.wait(under_way)

    async def _one(self, due: float) -> None:
        self.results.append(await attempt(next(self.requests), self.workload, due=due))
