"""Processes of a service are killed: what they leave behind ends, or is started again, and requests go on."""

import http.client
import json
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy.engine import URL

from tests.support.accounts import USERS
from tests.support.process import (
    POSTERN,
    ROOT,
    Service,
    can_be_bound,
    data_folder,
    environment,
    has_ended,
    postgres_pid,
    started,
    until,
)
from tests.support.server import Clone


@pytest.fixture(scope="module")
async def url(template: URL) -> AsyncIterator[URL]:
    async with Clone(template) as url:
        yield url


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


def begin_request(service: Service, body: bytes) -> socket.socket:
    """A connection with a request whose body is still to come; a worker has read the head and waits for the rest."""
    client = socket.create_connection(("127.0.0.1", service.port), 60)
    head = f"POST {USERS} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    client.sendall(f"{head}\r\nExpect: 100-continue\r\n\r\n".encode())
    assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
    return client


def status_of_answer(client: socket.socket) -> int:
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.status


@pytest.mark.parametrize("options", [("--workers", "2"), ("--reload",)], ids=["two", "reload"])
def test_workers_whose_starter_was_killed_finish_their_requests_and_end(
    tmp_path: Path, url: URL, options: tuple[str, ...]
) -> None:
    with started((*POSTERN, *options), tmp_path, environment(url), cwd=ROOT) as service:
        assert service.get(USERS) == 200
        port, family = service.port, service.workers()
        body = json.dumps({"email": f"{options[-1]}@example.com"}).encode()
        with begin_request(service, body) as client:
            service.end(signal.SIGKILL)
            until(lambda: service.output.count("Shutting down") == len(family))
            client.sendall(body)
            assert status_of_answer(client) == 201

        until(lambda: all(map(has_ended, family)))
        assert can_be_bound(port)


def test_workers_that_were_killed_are_replaced_and_named_in_the_log(tmp_path: Path, url: URL) -> None:
    with started((*POSTERN, "--workers", "2"), tmp_path, environment(url, LOG_FORMAT="json")) as service:
        assert service.get(USERS) == 200
        killed = service.workers()
        for worker in killed:
            worker.kill()
        psutil.wait_procs(killed, timeout=60)

        assert service.get(USERS) == 200
        until(lambda: len({*service.workers()} - {*killed}) == 2)
        assert service.end(signal.SIGTERM) == 0
        for worker in killed:
            assert len(service.events(f"Child process [{worker.pid}] died")) == 1


SLOW_WORKERS = """
import sys, time
if "spawn_main" in " ".join(sys.orig_argv):
    time.sleep(6)  # uvicorn gives a worker 5 seconds by default
"""


def test_workers_that_take_long_to_start_are_not_killed(tmp_path: Path, url: URL) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW_WORKERS)
    variables = environment(url, PYTHONPATH=f"{tmp_path}:{ROOT}")
    with started((*POSTERN, "--workers", "2"), tmp_path, variables) as service:
        assert service.get(USERS) == 200
        assert service.end(signal.SIGTERM) == 0
        assert "died" not in service.output


@pytest.mark.parametrize("workers", [1, 2])
def test_an_embedded_database_that_was_killed_is_started_again(tmp_path: Path, data_dir: Path, workers: int) -> None:
    variables = environment(DATA_DIR=str(data_dir), LOG_FORMAT="json")
    with started((*POSTERN, "--workers", str(workers)), tmp_path, variables) as service:
        until(lambda: service.output.count("Application startup complete") == workers)
        killed = postgres_pid(data_dir)
        assert killed
        psutil.Process(killed).kill()

        until(lambda: postgres_pid(data_dir) not in (None, killed))
        until(lambda: service.get(USERS) == 200)
        said = f"the PostgreSQL in {data_dir / 'postgres'} died and was started again"
        until(lambda: said in service.output)

        assert service.end(signal.SIGTERM) == 0
        assert postgres_pid(data_dir) is None
        assert len(service.events(said)) == 1


def requests_counted(service: Service, name: str) -> float:
    """The sum of the metric's samples, whichever worker tells it."""
    with service.connection() as connection:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    samples = [line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    return sum(float(line.rpartition(" ")[2]) for line in samples)


def test_metrics_tell_of_all_workers_and_forget_what_a_killed_one_had_under_way(tmp_path: Path, url: URL) -> None:
    counted, active = "http_server_request_duration_seconds_count", "http_server_active_requests"
    with started((*POSTERN, "--workers", "2"), tmp_path, environment(url)) as service:
        for number in range(1, 21):
            assert service.get("/health/live") == 200
            assert requests_counted(service, counted) == 2 * number - 1
        with begin_request(service, b"{}"), begin_request(service, b"{}"):
            assert requests_counted(service, active) == 3  # with the one that asks
            killed = service.workers()
            for worker in killed:
                worker.kill()
            psutil.wait_procs(killed, timeout=60)
        until(lambda: len({*service.workers()} - {*killed}) == 2)

        assert requests_counted(service, active) == 1
        assert requests_counted(service, counted) == 42  # 40, and the two that asked since
        assert service.end(signal.SIGTERM) == 0
