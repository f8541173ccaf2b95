"""What a compiled route can't do is left to FastAPI, with a reason, and answered alike."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import flatroute
import pytest
from fastapi import APIRouter, BackgroundTasks, Body, Depends, FastAPI, Query, Request, Response, Security
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from flatroute_support.twins import Twins


async def asynchronous() -> str:
    return "a dependency"


def synchronous() -> str:
    return "a dependency"


def generator() -> Iterator[str]:
    yield "a dependency"


async def asynchronous_generator() -> AsyncIterator[str]:
    yield "a dependency"


async def with_background_tasks(tasks: BackgroundTasks) -> str:
    tasks.add_task(asynchronous)
    return "a dependency"


async def with_scopes(scopes: SecurityScopes) -> str:
    return scopes.scope_str


async def with_body(text: Annotated[str, Body()] = "no body") -> str:
    return text


async def nested(value: Annotated[str, Depends(synchronous)]) -> str:
    return value


class Class:
    def __str__(self) -> str:
        return "a dependency"


DEPENDENCIES: dict[str, Any] = {
    "synchronous isn't a coroutine function": Depends(synchronous),
    "generator is a generator": Depends(generator),
    "asynchronous_generator is a generator": Depends(asynchronous_generator),
    "with_background_tasks takes background tasks": Depends(with_background_tasks),
    "with_scopes takes security scopes": Security(with_scopes, scopes=["a", "b"]),
    "it takes a body": Depends(with_body),
    "Class isn't a coroutine function": Depends(Class),
    "asynchronous has a max_concurrency": Depends(asynchronous, max_concurrency=1),
}


class Shouting(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Any]:
        handler = super().get_route_handler()

        async def shout(request: Request) -> Response:
            response = await handler(request)
            return PlainTextResponse(bytes(response.body).upper())

        return shout


def obstacle(app: FastAPI) -> str | None:
    [route] = flatroute.survey(app)
    return route.obstacle


@pytest.mark.parametrize("reason", DEPENDENCIES)
async def test_a_dependency_that_only_fastapi_can_call(reason: str) -> None:
    def make() -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.get("/")
        async def endpoint(value: Annotated[Any, DEPENDENCIES[reason]]) -> str:
            return str(value)

        return app

    answer = await Twins(make).get("/")

    assert (answer.status, answer.compiled) == (200, False)
    assert obstacle(make()) == reason


async def test_an_obstacle_below_another_dependency_is_found() -> None:
    def make() -> FastAPI:
        app = FastAPI(openapi_url=None, dependencies=[Depends(nested)])
        app.get("/")(asynchronous)
        return app

    assert not (await Twins(make).get("/")).compiled
    assert obstacle(make()) == "synchronous isn't a coroutine function"


def yields() -> Iterator[str]:
    yield "one"


DECLARATIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "synchronous isn't a coroutine function": (synchronous, {}),
    "it has no response model": (asynchronous, {"response_model": None}),
    "it has a response class of its own": (asynchronous, {"response_class": JSONResponse}),
}


@pytest.mark.parametrize("reason", DECLARATIONS)
async def test_a_declaration_that_only_fastapi_understands(reason: str) -> None:
    endpoint, options = DECLARATIONS[reason]

    def make() -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.get("/", **options)(endpoint)
        return app

    answer = await Twins(make).get("/")

    assert (answer.status, answer.compiled) == (200, False)
    assert obstacle(make()) == reason


async def test_a_stream_isn_t_compiled() -> None:
    def make() -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.get("/")(asynchronous_generator)
        return app

    answer = await Twins(make).get("/")

    assert (answer.body, answer.compiled) == (b'"a dependency"\n', False)


async def test_an_empty_answer_isn_t_compiled() -> None:
    async def nothing() -> None: ...

    def make() -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.get("/", status_code=204)(nothing)
        return app

    assert not (await Twins(make).get("/")).compiled


async def test_a_route_class_of_its_own_isn_t_compiled() -> None:
    def make() -> FastAPI:
        app, router = FastAPI(openapi_url=None), APIRouter(route_class=Shouting)
        router.get("/")(asynchronous)
        app.include_router(router)
        return app

    answer = await Twins(make).get("/")

    assert (answer.body, answer.compiled) == (b'"A DEPENDENCY"', False)
    assert obstacle(make()) == "it isn't a plain FastAPI route"


async def test_a_route_whose_overrides_are_elsewhere_isn_t_compiled() -> None:
    def make() -> FastAPI:
        app, router = FastAPI(openapi_url=None), APIRouter()
        router.get("/")(asynchronous)
        app.router.routes += router.routes
        return app

    assert not (await Twins(make).get("/")).compiled


async def test_defaults_are_no_obstacle_and_aren_t_shared() -> None:
    def make() -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.get("/")
        async def endpoint(found: Annotated[list[str], Query()] = []) -> list[str]:  # noqa: B006 - what is tested
            await asyncio.sleep(0)
            found.append("x")
            return found

        return app

    twins = Twins(make)

    for _ in range(2):
        assert (await twins.get("/")).body == b'["x"]'
