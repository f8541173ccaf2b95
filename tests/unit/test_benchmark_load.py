"""The load generator, against a server that does what each test wants."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count

import pytest

from benchmarks.compare.generator import Load, generate

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
BAD = b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"

type Answer = Callable[[int], tuple[bytes, ...]]
"""To the number of a request: what is sent, in parts; nothing closes the connection."""


@contextmanager
def server(answer: Answer) -> Iterator[int]:
    """Its port. It answers one request at a time."""
    numbers, turn = count(), threading.Lock()

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            with suppress(ConnectionError):  # a load ends in the middle of an answer
                self._answer()

        def _answer(self) -> None:
            while self.rfile.readline() == REQUEST[:16]:
                self.rfile.readline()
                self.rfile.readline()
                with turn:
                    parts = answer(next(numbers))
                for part in parts:
                    self.wfile.write(part)
                if not parts:
                    return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 200

    with Server(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield listening.server_address[1]
        listening.shutdown()
        thread.join()


def load(port: int, *, seconds: float = 0.3, connections: int = 2, rate: float | None = None) -> Load:
    return Load(port, [REQUEST], connections, 0.05, seconds, (), rate)


@pytest.mark.parametrize("parts", [(GOOD,), (GOOD[:20], GOOD[20:]), (GOOD[:-1], GOOD[-1:]), (CHUNKS[:-5], CHUNKS[-5:])])
def test_an_answer_counts_when_it_is_whole(parts: tuple[bytes, ...]) -> None:
    answered: list[int] = []

    def answer(number: int) -> tuple[bytes, ...]:
        answered.append(number)
        return parts

    with server(answer) as port:
        measured = generate(load(port))

    assert (measured.failed, measured.fault) == (0, None)
    assert 0 < measured.requests <= len(answered)
    assert 0 < measured.latency["p50"] <= measured.latency["longest"]


def test_an_error_and_a_closed_connection_are_faults() -> None:
    with server(lambda number: (BAD if number % 2 else GOOD,)) as port:
        refused = generate(load(port))
    with server(lambda number: () if number % 10 == 9 else (GOOD,)) as port:
        closed = generate(load(port))

    assert refused.failed > 0
    assert (refused.fault or "").startswith("HTTP/1.1 500")
    assert closed.failed > 0
    assert closed.fault == "the connection was closed"
    assert closed.requests > closed.failed


def test_a_stall_makes_requests_of_an_open_load_late_and_none_fewer() -> None:
    """A closed load would send nothing during the stall, and see one slow request for each connection."""
    stalled, rate, seconds = 0.4, 200.0, 1.0

    def answer(number: int) -> tuple[bytes, ...]:
        if number == 50:
            threading.Event().wait(stalled)
        return (GOOD,)

    with server(answer) as port:
        measured = generate(load(port, seconds=seconds, connections=100, rate=rate))

    assert measured.failed == 0
    assert measured.requests == pytest.approx(rate * seconds, abs=1)
    assert measured.latency["longest"] >= stalled
    assert measured.latency["p95"] >= stalled / 2
