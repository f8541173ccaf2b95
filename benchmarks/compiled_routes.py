"""What a request costs with compiled routes and without, in microseconds of the serving process's own CPU time.

    python benchmarks/compiled_routes.py

Starts a database of its own. Each round measures every subject once, one after the other; the table shows the median
of the rounds and, in brackets, the fastest and the slowest. `in process` calls the application as a server would,
`on a socket` asks two services of their own processes over one keep-alive connection each.
"""

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from statistics import median
from time import process_time, sleep
from uuid import UUID

import flatroute
import psutil
import psycopg
import uvloop
from fastapi import FastAPI
from pgfolder import EmbeddedPostgres
from safestep.migrations import commands as migrations
from sqlalchemy.engine import URL, make_url
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from app.core.config import load_settings
from app.db.migrations import project
from app.main import create_app

USER = UUID(int=42)
READ, LIST = f"/api/v1/users/{USER}", "/api/v1/users"
ROUTES = 500
START_WITHIN = 60.0

type Subject = Callable[[int], Awaitable[float]]
"""Sends so many requests; the CPU seconds that serving them took."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="default: 7")
    parser.add_argument("--requests", type=int, default=1000, help="of each subject in a round (default: 1000)")
    arguments = parser.parse_args()
    os.environ |= {"LOG_FORMAT": "json", "RATE_LIMITS": "false"}
    with tempfile.TemporaryDirectory(prefix="compiled-routes-") as folder, EmbeddedPostgres(Path(folder)) as server:
        server.ensure_database("benchmark")
        url = make_url(server.url("benchmark", driver="asyncpg"))
        migrations.upgrade(project, url)
        fill(url)
        with (
            service(url, folder, compiled=False) as plain,
            service(url, folder, compiled=True) as compiled,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,  # the loop that the service runs on
        ):
            found = runner.run(measure(url, (plain, compiled), arguments.rounds, arguments.requests))
    for name, values in found.items():
        print(f"{name:48} {median(values):7.1f} µs  [{min(values):.1f} … {max(values):.1f}]")


async def measure(
    url: URL, services: tuple["Service", "Service"], rounds: int, requests: int
) -> dict[str, list[float]]:
    async with AsyncExitStack() as stack:
        subjects = synthetic()
        for compiled in (False, True):
            app = create_app(load_settings(_env_file=None, database_url=address(url), compiled_routes=compiled))
            await stack.enter_async_context(app.router.lifespan_context(app))
            way = "compiled" if compiled else "FastAPI"
            subjects[f"in process: one user, {way}"] = in_process(app, READ)
            subjects[f"in process: 20 users, {way}"] = in_process(app, LIST)
            subjects[f"on a socket: one user, {way}"] = services[compiled].ask(READ)
            subjects[f"on a socket: 20 users, {way}"] = services[compiled].ask(LIST)
        found: dict[str, list[float]] = {name: [] for name in subjects}
        for number in range(-1, rounds):
            for name, ask in subjects.items():
                seconds = await ask(requests)
                if number >= 0:  # the first round warms up
                    found[name].append(seconds / requests * 1e6)
    return found


def synthetic() -> dict[str, Subject]:
    async def empty(_request: Request) -> JSONResponse:
        return JSONResponse({})

    subjects = {"in process: {} by Starlette": in_process(Starlette(routes=[Route("/", empty)]), "/")}
    for way, app in (("FastAPI", many_routes(compiled=False)), ("compiled", many_routes(compiled=True))):
        subjects[f"in process: {{}} by itself, {way}"] = in_process(app, "/")
        subjects[f"in process: first of {ROUTES} routes, {way}"] = in_process(app, "/0/a/b/c")
        subjects[f"in process: last of {ROUTES} routes, {way}"] = in_process(app, f"/{ROUTES - 1}/a/b/c")
    return subjects


def many_routes(*, compiled: bool) -> FastAPI:
    app = FastAPI(openapi_url=None)

    async def empty() -> dict[str, str]:
        return {}

    async def named(one: str, other: str) -> dict[str, str]:
        return {}

    app.get("/")(empty)
    for number in range(ROUTES):
        app.get(f"/{number}/{{one}}/b/{{other}}")(named)
    if compiled:
        flatroute.install(app)
    return app


def in_process(app: ASGIApp, path: str) -> Subject:
    headers = [(b"host", b"127.0.0.1"), (b"user-agent", b"benchmark"), (b"accept", b"*/*")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": headers,
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message.get("status", HTTPStatus.OK) != HTTPStatus.OK:
            raise SystemExit(f"{path} answered {message['status']}")

    async def ask(requests: int) -> float:
        started = process_time()
        for _ in range(requests):
            await app(dict(scope), receive, send)
        return process_time() - started

    return ask


class Service:
    """The service in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = psutil.Process(process.pid)
        self._port = port

    def ask(self, path: str) -> Subject:
        async def ask(requests: int) -> float:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            with closing(writer):
                started = self._cpu()
                for _ in range(requests):
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: benchmark\r\n\r\n".encode())
                    head = await reader.readuntil(b"\r\n\r\n")
                    if not head.startswith(b"HTTP/1.1 200 "):
                        raise SystemExit(head.decode())
                    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
                return self._cpu() - started

        return ask

    def _cpu(self) -> float:
        times = [each.cpu_times() for each in (self._process, *self._process.children(recursive=True))]
        return sum(each.user + each.system for each in times)


@contextmanager
def service(url: URL, folder: str, *, compiled: bool) -> Iterator[Service]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    environment = os.environ | {"DATABASE_URL": address(url), "DATA_DIR": folder, "COMPILED_ROUTES": str(compiled)}
    command = [sys.executable, "-m", "app.cli.main", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(round(START_WITHIN * 10)):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            sleep(0.1)
        else:
            raise SystemExit("The service didn't start.")
        yield Service(process, port)
    finally:
        process.terminate()
        process.wait(60)


def address(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def fill(url: URL) -> None:
    with psycopg.connect(address(url.set(drivername="postgresql"))) as connection:
        connection.execute(
            "INSERT INTO users (id, name) SELECT gen_random_uuid(), 'Name ' || n FROM generate_series(1, 999) n"
        )
        connection.execute("INSERT INTO users (id, name) VALUES (%s, 'One')", [USER])
        connection.execute(
            "INSERT INTO posts (id, author_id, title, body, slug, published_at) "
            "SELECT gen_random_uuid(), id, 'A title', 'A text.', id::text, now() FROM users"
        )


if __name__ == "__main__":
    main()
