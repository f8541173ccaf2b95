"""Compiled routes answer with the same bytes as FastAPI's own way: every GET route of the contract, for every caller.

Two applications on one database, one of them without COMPILED_ROUTES, get the same requests. What a fork adds to the
contract is among them without another line.
"""

import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import flatroute
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import URL
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.identity import Scope as KeyScope
from app.core.security import Keyring
from app.main import create_app
from app.schemas.pages import START
from tests.support.accounts import ME, USERS
from tests.support.application import make_settings, offline, running, storing
from tests.support.asgi import raw
from tests.support.callers import Callers, Headers, header
from tests.support.loglines import logged
from tests.support.process import PATIENCE, POSTERN, environment, started
from tests.support.resources import CALLERS, make_world
from tests.support.users import new_user
from tests.support.world import World

REQUESTS = settings(max_examples=500, derandomize=True, deadline=None, database=None)
ORIGIN = "https://blog.example.org"
ODD = [
    "",
    "0",
    "1",
    "2",
    "100",
    "101",
    "-1",
    "x",
    "true",
    "null",
    "Ünï",
    "a b",
    "%",
    "\x00",
    "2026-01-01T00:00:00Z",
    "[1]",
    START.encode(),
]
OTHER_HEADERS: list[Headers] = [{}, {"Origin": ORIGIN}, {"Origin": "https://other.example"}, {"Content-Length": "0"}]

type Operation = tuple[str, list[dict[str, Any]]]
"""A path of the contract and its parameters."""


@asynccontextmanager
async def both(url: URL) -> AsyncIterator[tuple[FastAPI, FastAPI]]:
    """The service as it ships, and without compiled routes; nobody is let in by an override."""
    options = {"cors_origins": (ORIGIN,), "allowed_hosts": ("*",)}
    async with running(url, **options) as compiled, running(url, compiled_routes=False, **options) as plain:
        for app in (compiled, plain):
            app.dependency_overrides.clear()
        yield compiled, plain


def handed_over(app: FastAPI) -> list[str]:
    """Grows by the path of every request that the compiled routes leave to FastAPI."""
    layer: Any = app.router.middleware_stack
    router: ASGIApp = layer._router
    paths: list[str] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        paths.append(scope["path"])
        await router(scope, receive, send)

    layer._router = note
    return paths


async def everybody(world: World) -> list[Headers]:
    """The headers of every kind of caller, good and bad."""
    callers = [await world.headers_of(caller) for caller in CALLERS if caller != "gone"]
    callers += [await world.callers.with_key(world.owner, scope) for scope in KeyScope]
    gone = new_user(is_active=False)
    late = Keyring(make_settings())
    late.lifetime = -60
    expired = late.access_token(user_id=world.owner.id, session_id=uuid4())
    unknown = Keyring(make_settings()).access_token(user_id=world.owner.id, session_id=uuid4())
    bad = ["", "x", "Ünï", "a b", expired, unknown, f"{expired}x"]
    odd: list[Headers] = [{"Authorization": value} for value in ("Basic eDp5", "Bearer", "bearer  x", "")]
    return [*callers, await world.callers.signed_in(gone), *map(header, bad), *odd]


def choices(schema: Any) -> Iterator[str]:
    """The values that a schema lists."""
    if isinstance(schema, dict):
        yield from map(str, schema.get("enum", ()))
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            yield from choices(each)


def requests(
    operations: list[Operation], callers: list[Headers], known: list[str]
) -> st.SearchStrategy[tuple[str, str, bytes, Headers]]:
    """Method, path, query and headers."""

    @st.composite
    def request(draw: st.DrawFn) -> tuple[str, str, bytes, Headers]:
        path, parameters = draw(st.sampled_from(operations))
        query: list[tuple[str, str]] = []
        for parameter in parameters:
            values = st.sampled_from([*known, *ODD, *choices(parameter["schema"])])
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", draw(st.one_of(st.sampled_from(known), values)))
            elif draw(st.integers(0, 3)) == 0:
                query += [(parameter["name"], draw(values)) for _ in range(draw(st.integers(1, 2)))]
        if draw(st.integers(0, 9)) == 0:
            query.append(("unknown", "1"))
        path += draw(st.sampled_from([""] * 9 + ["/", "/x", "\n"]))
        method = draw(st.sampled_from(["GET"] * 9 + ["HEAD"]))
        return (
            method,
            path,
            urlencode(query).encode(),
            draw(st.sampled_from(callers)) | draw(st.sampled_from(OTHER_HEADERS)),
        )

    return request()


async def ask(app: FastAPI, method: str, path: str, query: bytes, headers: Headers) -> tuple[int, Any, bytes]:
    sent = {"Host": "postern.test", "X-Request-ID": "the-same-for-both", **headers}
    encoded = [(name.lower().encode(), value.encode("utf-8")) for name, value in sent.items()]
    return await raw(app, method, path, encoded, query=query)


async def test_every_answer_is_the_same_either_way(url: URL) -> None:
    collected: list[tuple[str, str, bytes, Headers]] = []
    async with both(url) as (compiled, plain):
        save = storing(compiled)
        world = await make_world(World(save, Callers(compiled, save)))
        paths = compiled.openapi()["paths"]
        operations = [(path, item["get"].get("parameters", [])) for path, item in paths.items() if "get" in item]
        known = [*world.ids.values(), str(world.other.id), str(uuid4())]

        @REQUESTS
        @given(requests(operations, await everybody(world), known))
        def collect(request: tuple[str, str, bytes, Headers]) -> None:
            collected.append(request)

        collect()
        left = handed_over(compiled)
        statuses: dict[bool, set[int]] = {True: set(), False: set()}
        answered = []
        for request in collected:
            before = len(left)
            found, expected = await ask(compiled, *request), await ask(plain, *request)
            assert found == expected, request
            statuses[is_compiled := len(left) == before].add(found[0])
            answered += [request[1]] if is_compiled else []

    assert {200, 401, 403, 404} <= statuses[True]
    assert {404, 422} <= statuses[False]
    assert len(answered) > len(collected) / 2


def test_a_socket_tells_the_same_either_way(url: URL, tmp_path: Path) -> None:
    requests = [("GET", USERS), ("HEAD", USERS), ("GET", f"{USERS}/{uuid4()}"), ("GET", f"{USERS}/x"), ("GET", ME)]
    head = "{} {} HTTP/1.1\r\nHost: a\r\nX-Request-ID: the-same-for-both\r\n"
    pipelined = "\r\n".join(head.format(*request) for request in requests).encode() + b"Connection: close\r\n\r\n"
    answers = []
    for compiled in ("true", "false"):
        (folder := tmp_path / compiled).mkdir()
        with started(POSTERN, folder, environment(url, COMPILED_ROUTES=compiled)) as service:
            assert service.get(USERS) == 200
            with socket.create_connection(("127.0.0.1", service.port), PATIENCE) as client:
                client.sendall(pipelined)
                received = client.makefile("rb").read()
        answers.append(re.sub(rb"date: [^\r]+", b"", received))

    assert answers[0] == answers[1]
    assert re.findall(rb"HTTP/1.1 (\d+)", answers[0]) == [b"200", b"200", b"404", b"422", b"401"]


def test_what_is_read_most_is_compiled() -> None:
    compiled = {route.path for route in flatroute.survey(offline()) if route.obstacle is None}

    assert compiled >= {USERS, ME, f"{USERS}/{{user_id}}"}


def test_the_setting_turns_compilation_off() -> None:
    router = offline(compiled_routes=False).router

    assert router.middleware_stack == router.app


async def test_the_debug_log_says_at_the_start_which_routes_are_compiled(url: URL) -> None:
    settings = make_settings(url, log_level="DEBUG")
    app = create_app(settings)

    with logged(settings) as lines:
        async with app.router.lifespan_context(app):
            pass

    routes = {(*line["methods"], line["path"]): line["obstacle"] for line in lines.named("route")}
    assert routes["GET", USERS] is None
    assert routes["POST", USERS] == "it doesn't answer GET"
