"""A service that is told to stop loses no connection: not one in the queue of its socket, and none that is idle."""

import http.client
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy.engine import URL
from uvicorn import Config

from app.api.protocol import BoundedProtocol, limits_of
from app.cli.server import Server
from tests.support import database
from tests.support.accounts import USERS
from tests.support.application import make_settings, offline
from tests.support.process import POSTERN, ROOT, Service, ask, environment, started, until
from tests.support.server import Clone

LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
async def url(template: URL) -> AsyncIterator[URL]:
    async with Clone(template) as url:
        yield url


def serving(service: Service, workers: int) -> Sequence[psutil.Process]:
    until(lambda: service.output.count("Application startup complete") == workers)
    return service.workers() if workers > 1 else [psutil.Process(service.pid)]


def answer_on(client: socket.socket) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(client)
    response.begin()
    response.read()
    return response


async def test_connections_that_wait_in_the_queue_are_answered() -> None:
    http: Any = partial(BoundedProtocol, limits=limits_of(make_settings()))
    config = Config(offline(), http=http, lifespan="off", log_config=None)
    server = Server(config, grace=0)
    config.load()
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        await server.startup([listener])
        clients = [stack.enter_context(socket.create_connection(listener.getsockname(), 60)) for _ in range(50)]
        for client in clients:
            client.sendall(LIVE)

        await server.shutdown([listener])  # nothing was awaited since they connected, so nobody has taken them

        assert {answer_on(client).status for client in clients} == {200}


@pytest.mark.parametrize("workers", [1, 2])
def test_no_connection_is_lost_to_a_service_that_stops(tmp_path: Path, url: URL, workers: int) -> None:
    with started((*POSTERN, "--workers", str(workers)), tmp_path, environment(url), cwd=ROOT) as service:
        port, processes = service.port, serving(service, workers)
        for process in processes:
            process.suspend()  # so that nobody takes the connections before the signal
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 60)) for _ in range(50)]
            for client in clients:
                client.sendall(LIVE)
            psutil.Process(service.pid).send_signal(signal.SIGTERM)
            for process in processes:
                process.resume()

            assert {answer_on(client).status for client in clients} == {200}
        assert service.wait() == 0


def test_a_request_that_has_arrived_in_part_is_answered(tmp_path: Path, url: URL) -> None:
    with started(POSTERN, tmp_path, environment(url), cwd=ROOT) as service:
        with socket.create_connection(("127.0.0.1", service.port), 60) as client:
            client.sendall(LIVE[:20])
            assert service.get(USERS) == 200  # so that the part has been read
            psutil.Process(service.pid).send_signal(signal.SIGTERM)
            until(lambda: "Waiting for connections to close" in service.output)
            client.sendall(LIVE[20:])

            answer = answer_on(client)

        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert service.wait() == 0


def test_before_it_stops_it_says_so_and_serves_on(tmp_path: Path, url: URL) -> None:
    with started(POSTERN, tmp_path, environment(url, STOP_GRACE="600"), cwd=ROOT) as service:
        with service.connection() as kept:
            assert ask(kept, "GET", "/health/ready") == (200, {"status": "ready", "reasons": []})
            psutil.Process(service.pid).send_signal(signal.SIGTERM)
            until(lambda: "Stopping in 600 seconds" in service.output)

            kept.request("GET", USERS)
            answer = kept.getresponse()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
        with service.connection() as another:
            assert ask(another, "GET", "/health/ready") == (503, {"status": "not_ready", "reasons": ["stopping"]})

        assert service.end(signal.SIGINT) == 0  # Ctrl-C ends the wait


def test_pools_that_are_larger_than_the_server_are_named_at_the_start(tmp_path: Path, url: URL) -> None:
    [(most,)] = database.ask(url, "SELECT current_setting('max_connections')::int")
    variables = environment(url, LOG_FORMAT="json", DB_POOL_SIZE=str(most), DB_MAX_OVERFLOW="0")
    with started((*POSTERN, "--workers", "2"), tmp_path, variables, cwd=ROOT) as service:
        serving(service, 2)
        (event,) = service.events("too_few_connections")

        assert f"2 workers may ask for {4 * most + 2} connections" in event["hint"]
        assert service.end(signal.SIGTERM) == 0


def test_pools_that_fit_are_not_mentioned(tmp_path: Path, url: URL) -> None:
    variables = environment(url, LOG_FORMAT="json", DB_POOL_SIZE="1", DB_MAX_OVERFLOW="0")
    with started(POSTERN, tmp_path, variables, cwd=ROOT) as service:
        serving(service, 1)

        assert service.events("too_few_connections") == []
        assert service.end(signal.SIGTERM) == 0
