"""The load generator: raw sockets and requests that are made beforehand, so that it takes little of a processor.

It runs in a process of its own. Closed: each connection sends its next request when it has the answer. Open: requests
are due at a constant rate, whatever the answers do, and latency counts from when one was due; so a stall makes
requests late, and never makes them fewer.
"""

import gc
import re
import selectors
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from time import perf_counter, process_time

from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.processes import processor_seconds

GRACE = 5.0  # seconds that answers may take after the end of an open window
WARMED_BY = 5  # answers to each connection
LONGEST_WARM_UP = 5.0  # seconds
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SUCCESS = b"HTTP/1.1 2"


@dataclass(frozen=True)
class Load:
    port: int
    requests: Sequence[bytes]
    connections: int
    warm_up: float
    seconds: float
    watched: Sequence[int] = ()
    """Processes whose processor time is measured from the window's beginning to its end."""
    rate: float | None = None
    """Requests a second of an open load."""


@dataclass(frozen=True)
class Measured:
    """Of one window; times in seconds."""

    requests: int
    failed: int
    fault: str | None
    seconds: float
    whole: float
    """Of the warm-up too."""
    latency: dict[str, float]
    watched: float
    """Processor time of the watched processes."""
    generator: float | None
    """Processor time of the generator; None of the driver, which has none."""
    late: float
    """99th percentile of how late an open load was sent: while the generator or every connection was busy."""


def generate(load: Load) -> Measured:
    generator = _Open(load) if load.rate else _Closed(load)
    gc.collect()
    gc.disable()  # a collection would pause it
    try:
        return generator.measure()
    finally:
        gc.enable()
        generator.close()


def percentile(ordered: Sequence[float], part: float) -> float:
    """The nearest-rank percentile of sorted values; 0 when there are none."""
    return ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else 0.0


def latency_of(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    parts = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "longest": 1.0}
    return {name: percentile(ordered, part) for name, part in parts.items()}


class _Connection:
    __slots__ = ("due", "received", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(None)  # it is read when there is something to read
        self.received = b""
        self.due = 0.0


class _Closed:
    selector_type: type[selectors.BaseSelector] = selectors.DefaultSelector

    def __init__(self, load: Load) -> None:
        self._load = load
        self._selector = self.selector_type()
        self._sent = 0
        self._took: list[float] = []
        self._late: list[float] = []
        self._faults: list[str] = []
        try:
            self._connections = [self._connect() for _ in range(load.connections)]
        except OSError as error:
            raise BenchmarkError(f"no connection to port {load.port}: {error}") from error

    def measure(self) -> Measured:
        started = perf_counter()
        self._start()
        self._warm_up(started)
        self._begin_window()
        watched, own, began = processor_seconds(self._load.watched), process_time(), perf_counter()
        self._exchange(began + self._load.seconds)
        seconds, own = perf_counter() - began, process_time() - own
        self._finish()
        watched = processor_seconds(self._load.watched) - watched
        latency = latency_of(self._took)
        late = percentile(sorted(self._late), 0.99)
        fault = self._faults[0] if self._faults else None
        whole = began + seconds - started
        return Measured(len(self._took), len(self._faults), fault, seconds, whole, latency, watched, own, late)

    def close(self) -> None:
        for connection in self._connections:
            connection.socket.close()
        self._selector.close()

    def _start(self) -> None:
        for connection in self._connections:
            self._send(connection, perf_counter())

    def _warm_up(self, began: float) -> None:
        """Until every connection of the contender's pool has most likely prepared its statements."""
        wanted = WARMED_BY * len(self._connections)
        self._exchange(began + self._load.warm_up)
        while len(self._took) < wanted and perf_counter() < began + LONGEST_WARM_UP:
            self._exchange(perf_counter() + 0.1)

    def _begin_window(self) -> None:
        for values in (self._took, self._late, self._faults):
            values.clear()

    def _finish(self) -> None:
        """Answers that are still to come belong to no window."""

    def _exchange(self, until: float) -> None:
        while (now := perf_counter()) < until:
            for key, _ in self._selector.select(until - now):
                self._receive(key.data)

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(262144)
        except OSError as error:
            data, reason = b"", str(error)
        else:
            reason = "the connection was closed"
        if not data:
            self._faults.append(reason)
            self._replace(connection)
            return
        answer = connection.received = connection.received + data if connection.received else data
        if _is_whole(answer):
            if not answer.startswith(_SUCCESS):
                self._faults.append(answer[:300].decode(errors="replace"))
            self._answered(connection, perf_counter())

    def _answered(self, connection: _Connection, now: float) -> None:
        self._took.append(now - connection.due)
        self._send(connection, now)

    def _send(self, connection: _Connection, due: float) -> None:
        connection.due = due
        connection.received = b""
        connection.socket.send(self._load.requests[self._sent % len(self._load.requests)])
        self._sent += 1

    def _connect(self) -> _Connection:
        connection = _Connection(self._load.port)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        return connection

    def _replace(self, connection: _Connection) -> None:
        self._selector.unregister(connection.socket)
        connection.socket.close()
        self._connections.remove(connection)
        fresh = self._connect()
        self._connections.append(fresh)
        self._opened(fresh)

    def _opened(self, connection: _Connection) -> None:
        """A connection in the place of one that was closed."""
        self._send(connection, perf_counter())


class _Open(_Closed):
    # Unlike epoll it waits to the microsecond.
    selector_type = selectors.SelectSelector

    def _start(self) -> None:
        self._free = deque(self._connections)
        self._began = perf_counter()
        self._end = self._began + self._load.warm_up + self._load.seconds
        self._counted_from = self._began + self._load.warm_up
        self._interval = 1 / (self._load.rate or 1)

    def _warm_up(self, began: float) -> None:
        """The closed loads before it have prepared everything."""
        self._exchange(began + self._load.warm_up)

    def _begin_window(self) -> None:
        """What counts follows from when it was due."""

    def _exchange(self, until: float) -> None:
        while (now := perf_counter()) < until:
            due = self._send_due(now)
            for key, _ in self._selector.select(max(0.0, min(due, until) - perf_counter())):
                self._receive(key.data)

    def _finish(self) -> None:
        """What was due in the window counts, however late its answer is; what never came is a fault."""
        end = perf_counter() + GRACE
        while perf_counter() < end and (self._next_due() < self._end or len(self._free) < len(self._connections)):
            self._send_due(min(self._end, perf_counter()))
            for key, _ in self._selector.select(0.01):
                self._receive(key.data)
        unanswered = len(self._connections) - len(self._free)
        self._faults += ["no answer in time"] * unanswered

    def _send_due(self, now: float) -> float:
        """Sends what is due; returns when the next request is, or infinity when no connection is free."""
        while (due := self._next_due()) <= now and due < self._end:
            if not self._free:
                return float("inf")
            connection = self._free.popleft()
            self._send(connection, due)
            if due >= self._counted_from:
                self._late.append(perf_counter() - due)
        return due

    def _next_due(self) -> float:
        return self._began + self._sent * self._interval

    def _answered(self, connection: _Connection, now: float) -> None:
        if connection.due >= self._counted_from:
            self._took.append(now - connection.due)
        self._free.append(connection)

    def _opened(self, connection: _Connection) -> None:
        self._free.append(connection)


def _is_whole(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    if found := _LENGTH.search(answer, 0, head):
        return len(answer) >= head + 4 + int(found[1])
    return answer.endswith(b"0\r\n\r\n")  # chunks
