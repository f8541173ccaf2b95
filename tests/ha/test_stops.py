"""Stops under load: one service by itself, many times, and two behind a balancer, one after the other.

STOPS=50 make test-ha ARGS=-rP counts more of them, and prints what the clients were told.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.engine import URL

from tests.ha.programs import free_port, haproxy
from tests.ha.traffic import traffic
from tests.support import database
from tests.support.process import POSTERN, ROOT, Service, environment, started, until

STOPS = int(os.environ.get("STOPS", "3"))
RATE = 200

pytestmark = pytest.mark.ha


def stored(url: URL) -> set[str]:
    return {address for (address,) in database.ask(url, "SELECT email FROM users")}


def is_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200
    except httpx2.TransportError:
        return False


@contextmanager
def serving(folder: Path, url: URL, *options: str, port: int, **variables: str) -> Iterator[Service]:
    """A service that is ready."""
    folder.mkdir(exist_ok=True)
    command = (*POSTERN[:-1], str(port), *options)
    with started(command, folder, environment(url, RATE_LIMITS="false", **variables), cwd=ROOT) as service:
        until(lambda: is_ready(port))
        yield service


@pytest.mark.parametrize("workers", [1, 2])
async def test_stops_under_load_lose_nothing(tmp_path: Path, url: URL, workers: int) -> None:
    outcomes = Counter[str]()
    for number in range(STOPS):
        port = free_port()
        with serving(tmp_path, url, "--workers", str(workers), port=port) as service:
            async with traffic(port, rate=RATE, prefix=f"stop{number}", keep_alive=number % 2 == 0) as account:
                await asyncio.sleep(1)
                assert await asyncio.to_thread(service.end, signal.SIGTERM) == 0
            outcomes += account.outcomes

            assert account.outcomes["200"] > 0
            assert account.lost == {}
            assert account.acknowledged <= stored(url)
    print(f"{STOPS} stops with {workers} workers: {dict(outcomes)}")  # noqa: T201 - the figure of the run


async def test_a_rolling_restart_behind_a_balancer_fails_no_request(tmp_path: Path, url: URL) -> None:
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        services = {port: stack.enter_context(instance(tmp_path, url, port)) for port in ports}
        balancer = stack.enter_context(haproxy(tmp_path, ports))
        until(lambda: is_ready(balancer))
        async with traffic(balancer, rate=RATE, prefix="rolling") as account:
            for port in ports:
                assert await asyncio.to_thread(services[port].end, signal.SIGTERM) == 0
                await asyncio.to_thread(stack.enter_context, instance(tmp_path, url, port))
        print(f"a rolling restart of two instances: {dict(account.outcomes)}")  # noqa: T201 - the figure of the run

        assert account.failed == {}
        assert account.acknowledged <= stored(url)


def instance(folder: Path, url: URL, port: int) -> AbstractContextManager[Service]:
    return serving(folder / str(port), url, port=port, STOP_GRACE="2")
