"""Errors of a compiled route meet the application's handlers, and nothing happens twice."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.responses import PlainTextResponse
from flatroute_support.twins import Twins
from pydantic import AfterValidator


class Known(Exception):
    pass


class Second(Exception):
    pass


async def on_known(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"known {error} {request.path_params} {request['endpoint'].__name__}", 418)


async def on_second(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"second {error}", 419)


async def on_status(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"status {error.detail}", error.status_code)


def on_lookup(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"in a thread {error}", 420)


async def on_invalid(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 422)


async def on_http(request: Request, error: Exception) -> Response:
    raise Known("from a handler") from error


HANDLERS: dict[Any, Any] = {
    Known: on_known,
    Second: on_second,
    LookupError: on_lookup,
    404: on_status,
    RequestValidationError: on_invalid,
    ResponseValidationError: on_invalid,
    HTTPException: on_http,
}
RAISED: dict[str, Callable[[], Exception]] = {
    "a known one": lambda: Known("a"),
    "a subclass": lambda: KeyError("a"),
    "by status": lambda: HTTPException(404, "a"),
    "whose handler raises": lambda: HTTPException(400, "a"),
    "an unknown one": lambda: ZeroDivisionError("a"),
    "an assertion": lambda: AssertionError("a"),
}
INVALID = "raise RuntimeError"


def checked(value: str) -> str:
    if value == INVALID:
        raise RuntimeError("a validator's own error")
    if value == "invalid":
        raise ValueError("invalid")
    return value


def make() -> FastAPI:
    app = FastAPI(openapi_url=None, exception_handlers=HANDLERS)
    app.state.calls = []

    async def record(request: Request) -> None:
        request.app.state.calls.append("record")
        if request.headers.get("refused"):
            raise Known("refused first")

    @app.get("/raise/{name}", dependencies=[Depends(record)])
    async def raising(name: str) -> str:
        error = RAISED[name]()
        raise error

    @app.get("/check/{value}", dependencies=[Depends(record)])
    async def checking(value: Annotated[str, AfterValidator(checked)], number: int) -> int:
        return number if value == "right" else value  # type: ignore[return-value] # on purpose

    return app


@pytest.mark.parametrize("name", RAISED)
async def test_an_error_meets_its_handler(name: str) -> None:
    answer = await Twins(make).get(f"/raise/{name}")

    assert answer.compiled
    assert answer.status == (500 if name in ("an unknown one", "an assertion") else answer.status)
    assert (answer.raised is None) == (answer.status != 500)


@pytest.mark.parametrize("path", ["/check/right", "/check/invalid", f"/check/{INVALID}"])
@pytest.mark.parametrize("query", ["number=x", "", "number=1"])
@pytest.mark.parametrize("headers", [[], [("refused", "yes")]], ids=["let in", "refused"])
async def test_invalid_requests_are_fastapi_s_and_every_dependency_is_called_once(
    path: str, query: str, headers: list[tuple[str, str]]
) -> None:
    twins = Twins(make)

    answer = await twins.get(path, query, headers)

    assert answer.compiled == ((path, query) == ("/check/right", "number=1"))
    assert twins.compiled.state.calls == twins.plain.state.calls == ["record"]


async def test_an_answer_that_isn_t_valid_is_an_error_after_the_calls() -> None:
    twins = Twins(make)

    answer = await twins.get("/check/wrong", "number=1", root_path="/api")

    assert (answer.status, answer.compiled) == (422, True)
    assert b"GET /api/check/{value}" in answer.body
    assert twins.compiled.state.calls == ["record"]
