"""The first route that matches answers, compiled or not: a compiled one takes nothing from those before it."""

import sys
from collections.abc import Callable
from types import FrameType

import flatroute
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from flatroute_support.twins import Twins, exchange
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send


def named(app: FastAPI | APIRouter, *templates: str) -> None:
    """Adds a route that can be compiled for each template; its answer says which one it is."""
    for template in templates:

        async def endpoint(request: Request, template: str = template) -> dict[str, object]:
            return {"template": template, "params": request.path_params}

        app.get(template)(endpoint)


async def plain(request: Request) -> Response:
    return PlainTextResponse(f"not compiled: {request.path_params}")


async def reached(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("another application")(scope, receive, send)


class Everything(BaseRoute):
    """Takes every path that ends with an x."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL, {}) if scope["path"].endswith("x") else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await reached(scope, receive, send)


class Greedy(Route):
    """Takes more than its path says."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches({**scope, "path": "/greedy"})
        return match, child_scope


BEFORE: dict[str, tuple[Callable[[], BaseRoute], str, bool]] = {
    # What stands before `/a/{x}`, the path that is asked for, and whether the compiled route answers it.
    "the same path": (lambda: Route("/a/{y}", plain), "/a/1", False),
    "a literal": (lambda: Route("/a/b", plain), "/a/b", False),
    "another literal": (lambda: Route("/a/b", plain), "/a/c", True),
    "another method": (lambda: Route("/a/{y}", plain, methods=["POST"]), "/a/1", True),
    "any method": (lambda: Route("/a/{y}", PlainTextResponse("an endpoint that is an application")), "/a/1", False),
    "a converter": (lambda: Route("/a/{y:int}", plain), "/a/1", False),
    "a converter that doesn't match": (lambda: Route("/a/{y:int}", plain), "/a/b", False),
    "a path converter": (lambda: Route("/{y:path}", plain), "/a/1", False),
    "a converter elsewhere": (lambda: Route("/b/{y:path}", plain), "/a/1", True),
    "a converter further on": (lambda: Route("/a/b{y:int}", plain), "/a/b1", False),
    "a part of a segment": (lambda: Route("/a/{y}.json", plain), "/a/1.json", False),
    "a mount": (lambda: Mount("/a", reached), "/a/1", False),
    "a mount elsewhere": (lambda: Mount("/b", reached), "/a/1", True),
    "a host": (lambda: Host("flatroute.test", Router([Route("/a/{y}", plain)])), "/a/1", False),
    "a websocket": (lambda: WebSocketRoute("/a/{y}", reached), "/a/1", True),
}
AT_THE_TOP: dict[str, tuple[Callable[[], BaseRoute], str, bool]] = {
    "a mount of everything": (lambda: Mount("", reached), "/a/1", False),
    "a route that matches in its own way": (lambda: Greedy("/greedy", plain), "/a/1", False),
    "a route of its own kind": (Everything, "/a/x", False),  # in routers, FastAPI leaves it out
}


@pytest.mark.parametrize(("route", "path", "is_compiled"), BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("included", [False, True], ids=["in the application", "in a router"])
async def test_what_stands_before_a_compiled_route_comes_first(
    route: Callable[[], BaseRoute], path: str, is_compiled: bool, included: bool
) -> None:
    def make() -> FastAPI:
        app = FastAPI(openapi_url=None)
        router = APIRouter() if included else app.router
        router.routes.append(route())
        named(router, "/a/{x}")
        if included:
            app.include_router(router)
        return app

    answer = await Twins(make).get(path)

    assert (answer.status, answer.compiled) == (200, is_compiled)


@pytest.mark.parametrize(("route", "path", "is_compiled"), AT_THE_TOP.values(), ids=AT_THE_TOP)
async def test_what_only_an_application_can_have_comes_first_there(
    route: Callable[[], BaseRoute], path: str, is_compiled: bool
) -> None:
    def make() -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.router.routes.append(route())
        named(app, "/a/{x}")
        return app

    answer = await Twins(make).get(path)

    assert (answer.status, answer.compiled) == (200, is_compiled)


@pytest.mark.parametrize(
    "templates",
    [
        ["/a/{x}", "/a/b"],
        ["/a/b", "/a/{x}"],
        ["/{x}/b", "/a/{y}"],
        ["/a/{y}", "/{x}/b"],
        ["/a/{x}/c", "/{y}/b/c", "/{y}/b/d"],
        ["/{x}", "/{x}/{y}", "/{x}/{y}/{z}"],
        ["/a", "/a/"],
    ],
)
async def test_the_first_of_several_compiled_routes_answers(templates: list[str]) -> None:
    def make() -> FastAPI:
        app = FastAPI(openapi_url=None, redirect_slashes=False)
        named(app, *templates)
        return app

    twins = Twins(make)

    for path in ["/a", "/a/", "/a/b", "/a/b/", "/c/b", "/a/c", "/a/b/c", "/a/b/d", "/c/b/d", "/", "//", "/a//b"]:
        answer = await twins.get(path)
        assert answer.compiled or answer.status == 404, path
    await twins.get("/a/b\n")  # which Starlette takes for /a/b where that is a literal


async def test_nested_routers_keep_their_order_and_their_prefixes() -> None:
    def make() -> FastAPI:
        inner, outer, app = APIRouter(prefix="/{z}"), APIRouter(prefix="/o"), FastAPI(openapi_url=None)
        named(inner, "/{x}", "/last")
        named(outer, "/first")
        outer.include_router(inner)
        named(outer, "/{x}/never", "/{x}")
        app.include_router(outer)
        app.include_router(inner)
        return app

    twins = Twins(make)

    for path in ["/o/first", "/o/a/last", "/o/a/never", "/o/a", "/a/last"]:
        assert (await twins.get(path)).compiled, path


async def test_the_last_of_many_routes_costs_what_the_first_does() -> None:
    app = FastAPI(openapi_url=None)
    named(app, *(f"/{number}/{{x}}/a/{{y}}" for number in range(300)))
    flatroute.install(app)

    async def calls_for(path: str) -> int:
        """How many functions are called for a request: what it costs, without a clock."""
        calls = 0

        def count(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            await exchange(app, {"path": path, "query_string": b"", "headers": []})
        finally:
            sys.setprofile(None)
        return calls

    first, last = "/0/x/a/y", "/299/x/a/y"
    await calls_for(first), await calls_for(last)  # what only a first request does

    assert await calls_for(last) == await calls_for(first)


async def test_redirects_and_unknown_paths_are_left_to_fastapi() -> None:
    def make() -> FastAPI:
        app = FastAPI(openapi_url=None)
        named(app, "/a/{x}")
        return app

    twins = Twins(make)

    assert [(await twins.get(path)).status for path in ("/a/1/", "/b", "/a")] == [307, 404, 404]
