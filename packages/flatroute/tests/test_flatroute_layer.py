"""When a request goes past the compiled routes, and what they leave behind for others to see."""

import logging
import sys
from typing import Annotated, Any

import flatroute
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import get_request_handler
from flatroute_support.twins import Twins
from starlette.types import ASGIApp, Receive, Scope, Send


async def value() -> str:
    return "declared"


async def other_value() -> str:
    return "overridden"


async def endpoint(found: Annotated[str, Depends(value)]) -> str:
    return found


async def with_body(request: Request) -> int:
    return len(await request.body())


async def params(request: Request, name: str) -> dict[str, str]:
    return {**request.path_params, "again": name}


def make(**options: Any) -> FastAPI:
    app, router = FastAPI(openapi_url=None, **options), APIRouter(prefix="/r")
    router.get("/value/{name}")(endpoint)
    app.include_router(router, max_body_size=4)
    app.get("/body", max_body_size=4)(with_body)
    app.get("/value")(endpoint)
    app.get("/params/{name}")(params)
    return app


async def test_overrides_hold_from_the_moment_they_are_made_and_no_longer() -> None:
    twins = Twins(make)

    before = await twins.get("/value")
    for app in (twins.plain, twins.compiled):
        app.dependency_overrides[value] = other_value
    overridden = await twins.get("/value")
    for app in (twins.plain, twins.compiled):
        app.dependency_overrides.clear()
    after = await twins.get("/value")

    assert [each.body for each in (before, overridden, after)] == [b'"declared"', b'"overridden"', b'"declared"']
    assert [each.compiled for each in (before, overridden, after)] == [True, False, True]


@pytest.mark.parametrize("body", [b"", b"four", b"too long"])
@pytest.mark.parametrize("announced", ["content-length", "transfer-encoding"])
async def test_a_body_is_fastapi_s(body: bytes, announced: str) -> None:
    length = str(len(body)) if announced == "content-length" else "chunked"

    answer = await Twins(make).get("/body", headers=[(announced, length)], body=body)

    assert (answer.status, answer.compiled) == (413 if len(body) > 4 else 200, False)


async def test_where_no_header_has_to_announce_a_body_it_is_fastapi_s() -> None:
    answer = await Twins(make).get("/body", body=b"too long", http_version="2")

    assert (answer.status, answer.compiled) == (413, False)


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS"])
async def test_other_methods_are_fastapi_s(method: str) -> None:
    answer = await Twins(make).get("/value", method=method)

    assert (answer.status, answer.compiled) == (405, False)


async def test_a_request_that_fastapi_s_telemetry_records_is_fastapi_s() -> None:
    assert not (await Twins(make).get("/value", **{"fastapi.telemetry": object()})).compiled


async def test_routes_that_come_and_go_later_are_seen() -> None:
    def make_growing() -> FastAPI:
        app = make()
        app.state.early, outer = APIRouter(), APIRouter()
        outer.include_router(app.state.early)
        app.include_router(outer)
        app.get("/late/{name}")(endpoint)
        return app

    twins = Twins(make_growing)
    assert (await twins.get("/late/one")).body == b'"declared"'

    for app in (twins.plain, twins.compiled):
        app.state.early.get("/late/{name}")(other_value)
    added = await twins.get("/late/one")
    for app in (twins.plain, twins.compiled):
        app.router.routes.pop()
        app.router.routes.pop()
    removed = await twins.get("/late/one")

    assert (added.body, added.compiled) == (b'"overridden"', True)
    assert removed.status == 404


async def test_the_start_compiles() -> None:
    app = make()
    flatroute.install(app)
    layer: Any = app.router.middleware_stack
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(_message: Any) -> None: ...

    assert layer._table is None
    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    assert [route.path for route in layer._table.survey] == ["/r/value/{name}", "/body", "/value", "/params/{name}"]


class Noting:
    """Writes down what the scope says when the answer is there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        scope["app"].state.noted = {
            name: scope.get(name)
            if name == "path_params"
            else getattr(scope.get(name), "__name__", type(scope.get(name)))
            for name in ("endpoint", "path_params", "route", "router")
        }
        context = scope.get("fastapi", {}).get("effective_route_context")
        scope["app"].state.noted["template"] = context and context.path_format


@pytest.mark.parametrize("path", ["/value", "/r/value/one"])
async def test_the_scope_says_which_route_answered(path: str) -> None:
    def make_noting() -> FastAPI:
        app = make()
        app.add_middleware(Noting)
        return app

    twins = Twins(make_noting)

    answer = await twins.get(path)

    assert answer.compiled
    assert twins.compiled.state.noted == twins.plain.state.noted


@pytest.mark.parametrize("origin", ["https://known.test", "https://unknown.test"])
async def test_middleware_sees_compiled_answers(origin: str) -> None:
    def make_shared() -> FastAPI:
        app = make()
        app.add_middleware(CORSMiddleware, allow_origins=["https://known.test"])
        return app

    answer = await Twins(make_shared).get("/value", headers=[("Origin", origin)])

    assert answer.compiled
    assert (b"access-control-allow-origin" in dict(answer.headers)) == (origin == "https://known.test")


@pytest.mark.parametrize(
    ("path", "is_compiled"), [("/api/value", True), ("/value", True), ("/api", False), ("/apivalue", False)]
)
async def test_a_root_path_is_taken_off_as_ever(path: str, is_compiled: bool) -> None:
    assert (await Twins(make).get(path, root_path="/api")).compiled == is_compiled


async def test_a_mounted_application_compiles_for_itself() -> None:
    def make_mounted(*, compiled: bool) -> FastAPI:
        app, inner = FastAPI(openapi_url=None), make()
        if compiled:
            flatroute.install(inner)
        app.mount("/{tenant}", inner)
        return app

    twins = Twins(lambda: make_mounted(compiled=False))
    twins.compiled = make_mounted(compiled=True)

    assert (await twins.get("/one/params/two")).body == b'{"tenant":"one","name":"two","again":"two"}'


def test_a_router_with_middleware_is_refused() -> None:
    app = make()
    flatroute.install(app)

    with pytest.raises(ValueError, match="has middleware"):
        flatroute.install(app)


def with_something_new(*, something_new: object = None, **options: Any) -> Any:
    return get_request_handler(**options)


async def test_with_an_unknown_fastapi_nothing_is_compiled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in ("framework", "handler", "layer", "parameters", "table"):
        monkeypatch.delitem(sys.modules, f"flatroute.{module}", raising=False)
        monkeypatch.delattr(flatroute, module, raising=False)
    monkeypatch.setattr("fastapi.routing.get_request_handler", with_something_new)
    monkeypatch.setattr(with_something_new, "__name__", "get_request_handler")
    app = make()

    with caplog.at_level(logging.WARNING):
        flatroute.install(app)

    assert caplog.messages == ["No route is compiled: FastAPI's get_request_handler has other parameters"]
    assert app.router.middleware_stack == app.router.app
    assert {route.obstacle for route in flatroute.survey(app)} == {"FastAPI's get_request_handler has other parameters"}
