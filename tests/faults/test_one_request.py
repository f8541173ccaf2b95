"""No request stops the others, whatever is in it: each costs the service less than a quarter of a second.

What is measured is the processor time of the service's process from before each request to after its answer. No request
can hold the event loop for longer than that, and other load on the machine hardly changes it, unlike the wall clock.
"""

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

import psutil
import pytest
from sqlalchemy.engine import URL

from app.core.config import LARGEST_BODY
from app.core.product import API_KEY_PREFIX
from tests.support.application import SECRET, running, storing
from tests.support.callers import Callers
from tests.support.hostile import FACTORS, RUNS, addresses, fields_of_forms, forms, json_values, texts
from tests.support.process import PATIENCE, POSTERN, Service, environment, started
from tests.support.resources import make_world
from tests.support.server import Clone
from tests.support.world import World

pytestmark = pytest.mark.no_cover  # the service is another process

MOST_SECONDS = 0.25
LARGEST_PROBLEM = 16 * 1024
LARGEST_ANSWER = 256 * 1024
"""Bytes, besides what the request sent itself."""
HEAD, BODY, QUERY, LINES, PARAMETERS = 64 * 1024, 64 * 1024, 8192, 100, 100
HEADERS = (
    *("Authorization", "Cookie", "X-Request-ID", "User-Agent", "Host", "Origin", "Access-Control-Request-Method"),
    *("Access-Control-Request-Headers", "Content-Type", "Content-Length", "Transfer-Encoding", "Accept", "Upgrade"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "Connection", "Expect", "X-Any"),
)
PATH = "/api/v1/users/me"
REST = "Host: a\r\nConnection: close\r\n\r\n"
PRINTABLE = "".join(map(chr, range(32, 127)))
NOBODY = str(UUID(int=0))
MOST_SENT = 8 * 1024 * 1024
"""Of a body that declares more, only this is sent."""

SETTINGS = {
    "SECRET_KEYS": f"test:{SECRET}",
    "CORS_ORIGINS": "https://app.example.com",
    # Counting is part of the cost, being refused is not. Hashing costs what it is told to, whatever is hashed.
    **{
        f"RATE_LIMIT_{action}_{kind}": "1000000/hour"
        for action in ("SIGN_IN", "RESET", "REGISTRATION")
        for kind in ("ADDRESS", "ACCOUNT")
    },
    "PASSWORD_TIME_COST": "1",
    "PASSWORD_MEMORY_KIB": "8",
}


@dataclass
class Target:
    """The running service, its contract, and somebody who may do everything in it."""

    service: Service
    port: int
    contract: dict[str, Any]
    ids: dict[str, str]
    credential: str

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Method, path and description of each, signing out last."""
        found = [
            (method.upper(), path, operation)
            for path, operations in self.contract["paths"].items()
            for method, operation in operations.items()
        ]
        return iter(sorted(found, key=lambda each: each[1].endswith("/logout")))

    def path(self, method: str, path: str) -> str:
        """A path to something that is there, unless it would be gone afterwards."""
        return path.format(**(dict.fromkeys(self.ids, NOBODY) if method == "DELETE" else self.ids))

    def fields(self, operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The fields of the JSON body."""
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return {}
        name = content["schema"]["$ref"].rpartition("/")[2]
        properties: dict[str, dict[str, Any]] = self.contract["components"]["schemas"][name]["properties"]
        return properties

    def head(self, method: str, path: str, *lines: str, host: str = "a") -> bytes:
        start = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        return "\r\n".join([*start, f"Authorization: Bearer {self.credential}", *lines, "", ""]).encode()

    def with_body(self, method: str, path: str, body: str, kind: str = "application/json") -> bytes:
        content = body.encode()
        head = self.head(method, path, f"Content-Type: {kind}", f"Content-Length: {len(content)}")
        return head + content[:MOST_SENT]


@pytest.fixture(scope="module")
def target(template: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with asyncio.Runner() as runner:
        clone = Clone(template)
        url = runner.run(clone.__aenter__())
        ids, credential = runner.run(inhabit(url))
        with started(POSTERN, tmp_path_factory.mktemp("service"), environment(url, **SETTINGS)) as service:
            with socket.create_connection(("127.0.0.1", service.port), PATIENCE) as client:
                client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n")
                response = http.client.HTTPResponse(client)
                response.begin()
                contract = json.loads(response.read())
            target = Target(service, service.port, contract, ids, credential)
            assert ask(target.port, target.head("GET", PATH))[0] == 200  # it is let in
            yield target
        runner.run(clone.__aexit__())


async def inhabit(url: URL) -> tuple[dict[str, str], str]:
    """Stores somebody who owns a row of every kind, and an administrator; returns the ids and the latter's token."""
    async with running(url) as app:
        save = storing(app)
        world = await make_world(World(save, Callers(app, save)))
        headers = await world.headers_of("admin")
    return world.ids, headers["Authorization"].removeprefix("Bearer ")


def ask(port: int, request: bytes) -> tuple[int, int]:
    """Status of the answer, and the size of its body."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(request)
        response = http.client.HTTPResponse(client)
        response.begin()
        return response.status, len(response.read())


def too_expensive(target: Target, requests: Iterator[tuple[str, bytes]]) -> list[str]:
    """The requests that cost too much, time or bytes, each with what it cost."""
    process = psutil.Process(target.service.pid)
    found = []
    for name, request in requests:
        costs: list[float] = []
        while not costs or (MOST_SECONDS < costs[-1] < 1 and len(costs) < 3):  # collecting garbage may fall upon one
            before = sum(process.cpu_times()[:2])
            status, size = ask(target.port, request)
            costs.append(sum(process.cpu_times()[:2]) - before)
        largest = LARGEST_PROBLEM if status >= 400 else LARGEST_ANSWER + len(request)
        if min(costs) > MOST_SECONDS or size > largest or status == 500:
            found.append(f"{name}: {status}, {min(costs) * 1000:.0f} ms, {size} bytes for {len(request)}")
    return found


def test_every_field_of_a_body(target: Target) -> None:
    def requests() -> Iterator[tuple[str, bytes]]:
        for method, path, operation in target.operations():
            for field, schema in target.fields(operation).items():
                for name, value in values(field, schema):
                    request = target.with_body(method, target.path(method, path), f'{{"{field}": {value}}}')
                    yield f"{method} {path} {field}: {name}", request

    def values(field: str, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
        longest = max(each.get("maxLength", 100) for each in [schema, *schema.get("anyOf", [])])
        for length in {*(longest * factor for factor in FACTORS if longest * factor < BODY), BODY - 1000}:
            for name, text in [*texts(length), *(addresses(length) if "email" in field else ())]:
                yield f"{length} of {name}", json.dumps(text, ensure_ascii=False)
        yield from json_values(BODY - 1000)

    assert too_expensive(target, requests()) == []


def test_whole_bodies(target: Target) -> None:
    def requests() -> Iterator[tuple[str, bytes]]:
        for method, path, operation in target.operations():
            if target.fields(operation):
                bound = LARGEST_BODY if "/posts" in path else BODY
                for name, body in [
                    *json_values(bound - 1),
                    *((f"{n} times the bound", " " * bound * n) for n in FACTORS),
                ]:
                    yield f"{method} {path}: {name}", target.with_body(method, target.path(method, path), body)

    assert too_expensive(target, requests()) == []


def test_forms(target: Target) -> None:
    def requests() -> Iterator[tuple[str, bytes]]:
        sent = [each for factor in FACTORS for each in forms(BODY * factor - 1000)]
        for name, kind, body in [*sent, *fields_of_forms(254), *fields_of_forms(BODY // 12)]:
            yield f"{len(body)} of {name}", target.with_body("POST", "/api/v1/auth/token", body, kind)

    assert too_expensive(target, requests()) == []


def header_lines(length: int) -> Iterator[tuple[str, str]]:
    """Header lines with values of this length, in what HTTP lets pass."""
    values = {name: quote(text, safe=PRINTABLE) for name, text in texts(length)}
    values["tokens after Bearer"] = "Bearer " + "a." * (length // 2)
    values["keys after Bearer"] = f"Bearer {API_KEY_PREFIX}{'0' * length}"
    for header in HEADERS:
        for name, value in values.items():
            yield f"{header} of {name}", f"{header}: {value[:length]}"


def test_every_header(target: Target) -> None:
    def requests() -> Iterator[tuple[str, bytes]]:
        for length in (1000, HEAD - 1000):
            for name, line in header_lines(length):
                for method in ("GET", "OPTIONS"):
                    yield f"{method} {length}, {name}", f"{method} {PATH} HTTP/1.1\r\n{line}\r\n{REST}".encode()

    assert too_expensive(target, requests()) == []


def test_heads_of_every_route(target: Target) -> None:
    def requests() -> Iterator[tuple[str, bytes]]:
        for method, path, _ in target.operations():
            url = target.path(method, path)
            for line in ("Cookie: a=b", "X-Forwarded-For: ::1", "Connection: a", "X: " + "a" * 600):
                yield f"{method} {path}: many of {line}", target.head(method, url, *([line] * (LINES - 10)))
            for header in HEADERS:
                yield f"{method} {path}: {header}", target.head(method, url, f"{header}: {'a' * (HEAD - 1000)}")

    assert too_expensive(target, requests()) == []


def test_heads_beyond_their_limits(target: Target) -> None:
    """They are refused before there is a route, so one stands for all."""

    def requests() -> Iterator[tuple[str, bytes]]:
        for factor in FACTORS[1:]:
            for line in ("Cookie: a=b", "X-Forwarded-For: ::1", "Connection: a", "X: " + "a" * 600):
                yield f"{LINES * factor} of {line}", target.head("GET", PATH, *([line] * LINES * factor))
            for header in HEADERS:
                yield f"{HEAD * factor} of {header}", target.head("GET", PATH, f"{header}: {'a' * HEAD * factor}")
            for name, text in texts(QUERY):
                yield f"{factor} times {name}", target.head("GET", f"{PATH}?cursor={quote(text, safe='') * factor}")

    assert too_expensive(target, requests()) == []


def test_every_parameter_of_a_path_and_of_a_query(target: Target) -> None:
    words = [(name, quote(text, safe="")[:QUERY]) for name, text in texts(QUERY)]

    def requests() -> Iterator[tuple[str, bytes]]:
        for method, path, operation in target.operations():
            for name, word in words:
                if "{" in path:
                    url = path.partition("{")[0] + word + path.rpartition("}")[2]
                    yield f"{method} {path}: {name}", target.head(method, url)
                for parameter in [*queried(operation), word[:1000]]:
                    url = f"{target.path(method, path)}?{parameter}={word[: QUERY - 1010]}"
                    yield f"{method} {path}?{parameter}: {name}", target.head(method, url)

    assert too_expensive(target, requests()) == []


def queried(operation: dict[str, Any]) -> list[str]:
    return [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]


def test_many_parameters_of_a_query(target: Target) -> None:
    def requests() -> Iterator[tuple[str, bytes]]:
        for method, path, operation in target.operations():
            for number in (PARAMETERS * factor for factor in FACTORS):
                different = "&".join(f"p{n}=" for n in range(number))
                same = ["&".join([f"{name}=0"] * number) for name in [*queried(operation), "x"]]
                for query in [different, *same, "&" * number, ";" * number, "%26" * number]:
                    url = f"{target.path(method, path)}?{query}"
                    yield f"{method} {path}: {number} of {query[:20]}", target.head(method, url)

    assert too_expensive(target, requests()) == []


def test_paths_that_are_no_routes(target: Target) -> None:
    def requests() -> Iterator[tuple[str, bytes]]:
        for length in (1000, *(HEAD * factor - 1000 for factor in FACTORS)):
            for name, run in RUNS.items():
                word = quote(run, safe="/@:")
                yield f"{length} of {name}", target.head("GET", "/" + word * (length // len(word)))

    assert too_expensive(target, requests()) == []
