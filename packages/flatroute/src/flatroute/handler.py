"""A compiled route: what FastAPI finds out at every request is found out once, and the rest is a row of calls."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute, RouteContext
from starlette.routing import request_response
from starlette.types import Scope

from flatroute import framework
from flatroute.parameters import Parameters

_ARGUMENTS = "flatroute.arguments"

_UNSUPPORTED = {
    "background_tasks_param_name": "background tasks",
    "security_scopes_param_name": "security scopes",
    "websocket_param_name": "a websocket",
}


def obstacles(route: RouteContext, app: FastAPI) -> Iterator[str]:
    """Why a route can't be compiled, one reason after the other; nothing for a route that can."""
    if type(route.original_route) is not APIRoute:
        yield "it isn't a plain FastAPI route"
    elif route.dependency_overrides_provider is not app:
        yield "its dependencies are overridden elsewhere"
    elif route.body_field is not None:
        yield "it takes a body"
    elif route.response_field is None:
        yield "it has no response model"
    elif not isinstance(route.response_class, DefaultPlaceholder):
        yield "it has a response class of its own"
    else:
        yield from _obstacles_of(route.dependant)


def _obstacles_of(dependant: framework.Dependant) -> Iterator[str]:
    name = getattr(dependant.call, "__qualname__", type(dependant.call).__qualname__)
    if framework.is_generator(dependant.call):
        yield f"{name} is a generator"
    elif not framework.is_coroutine(dependant.call):
        yield f"{name} isn't a coroutine function"
    if dependant.concurrency is not None:
        yield f"{name} has a max_concurrency"
    yield from (f"{name} takes {what}" for field, what in _UNSUPPORTED.items() if getattr(dependant, field))
    for each in dependant.dependencies:
        yield from _obstacles_of(each)


@dataclass(frozen=True, slots=True)
class _Call:
    """A dependency or, last, the endpoint."""

    function: Callable[..., Awaitable[Any]]
    parameters: Parameters
    results: tuple[tuple[str, int], ...]
    """Its arguments that earlier calls return, each with the number of the call."""
    requests: tuple[str, ...]
    """Its arguments that are the request itself."""
    response: str | None
    """Its argument that takes headers and a status for the response."""


def _calls(endpoint: framework.Dependant) -> tuple[_Call, ...]:
    """In FastAPI's order: a dependency right before whoever needs it first, and once where it may be cached."""
    calls: list[_Call] = []
    cached: dict[Any, int] = {}

    def number_of(dependant: framework.Dependant) -> int:
        results = [(each.name, number_of(each)) for each in dependant.dependencies]
        key = framework.cache_key(dependant)
        if dependant.use_cache and key in cached:
            return cached[key]
        requests = (dependant.request_param_name, dependant.http_connection_param_name)
        assert dependant.call is not None  # noqa: S101 - for the types alone, as FastAPI does it
        calls.append(
            _Call(
                dependant.call,
                Parameters(dependant),
                tuple((name, number) for name, number in results if name is not None),
                tuple(name for name in requests if name is not None),
                dependant.response_param_name,
            )
        )
        cached.setdefault(key, len(calls) - 1)
        return len(calls) - 1

    number_of(endpoint)
    return tuple(calls)


class CompiledRoute:
    """`prepare` a request, and `app` answers it."""

    def __init__(self, route: RouteContext) -> None:
        self._route = route
        self._calls = _calls(route.dependant)
        self._endpoint = route.dependant.call
        self._path = route.dependant.path
        self._status = route.status_code or 200
        self._takes_response = any(call.response for call in self._calls)
        self._serialize = partial(
            framework.serialize_response,
            field=route.response_field,
            include=route.response_model_include,
            exclude=route.response_model_exclude,
            by_alias=route.response_model_by_alias,
            exclude_unset=route.response_model_exclude_unset,
            exclude_defaults=route.response_model_exclude_defaults,
            exclude_none=route.response_model_exclude_none,
            dump_json=True,
        )
        # Starlette's own wrapper, as around every route: the application's handlers answer what is raised.
        self.app = request_response(self._respond)

    def prepare(self, scope: Scope, path_params: dict[str, str]) -> bool:
        """Whether every parameter is valid. Nothing has been called by then, so that FastAPI can still answer."""
        framework.enter(scope, self._route, path_params)
        request = Request(scope)
        try:
            arguments = [call.parameters.read(request) for call in self._calls]
        except Exception:  # noqa: BLE001 - whatever a validator raises, it raises again where FastAPI handles it
            return False
        scope[_ARGUMENTS] = arguments
        return None not in arguments

    async def _respond(self, request: Request) -> Response:
        context = framework.endpoint_context(self._endpoint, self._path, request.scope)
        parameter = framework.response_parameter() if self._takes_response else None
        result = await self._call(request, parameter)
        if isinstance(result, Response):
            return result
        content = await self._serialize(response_content=result, endpoint_ctx=context)
        if parameter is None:
            return Response(content, self._status, media_type="application/json")
        response = Response(content, parameter.status_code or self._status, media_type="application/json")
        if not framework.is_body_allowed_for_status_code(response.status_code):
            response.body = b""
        response.headers.raw.extend(parameter.headers.raw)
        return response

    async def _call(self, request: Request, response: Response | None) -> Any:
        """What the endpoint returns, after all of its dependencies."""
        results: list[Any] = []
        for call, arguments in zip(self._calls, request.scope.pop(_ARGUMENTS), strict=True):
            for name, number in call.results:
                arguments[name] = results[number]
            for name in call.requests:
                arguments[name] = request
            if call.response:
                arguments[call.response] = response
            results.append(await call.function(**arguments))
        return results[-1]
