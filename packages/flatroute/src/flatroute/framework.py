"""Everything that flatroute takes from FastAPI and Starlette without their promise to keep it.

An upgrade that changes any of it breaks this module alone: it can't be imported any more, and nothing is compiled.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields
from inspect import signature
from typing import Any

from fastapi._compat import ModelField, Undefined, field_annotation_is_sequence
from fastapi.dependencies.models import (
    Dependant,
    _get_cache_key,
    _is_async_gen_callable,
    _is_coroutine_callable,
    _is_gen_callable,
)
from fastapi.dependencies.utils import (
    _get_param_aliases,
    _get_param_model,
    _validate_value_with_model_field,
    request_params_to_args,
)
from fastapi.exceptions import EndpointContext
from fastapi.routing import (
    APIRouter,
    RouteContext,
    _extract_endpoint_context,
    _IncludedRouter,
    get_request_handler,
    serialize_response,
)
from fastapi.utils import is_body_allowed_for_status_code
from starlette._utils import get_route_path
from starlette.responses import Response
from starlette.types import Scope

__all__ = [
    "Dependant",
    "ModelField",
    "cache_key",
    "endpoint_context",
    "enter",
    "get_route_path",
    "is_body_allowed_for_status_code",
    "is_coroutine",
    "is_generator",
    "request_params_to_args",
    "response_parameter",
    "routers",
    "serialize_response",
    "single_key",
    "validated",
]

# What FastAPI's own handler of a route depends on, and how its parts are called. One field or parameter more is a
# feature that flatroute would leave out.
_FIELDS = (
    "path_params query_params header_params cookie_params body_params dependencies name call request_param_name "
    "websocket_param_name http_connection_param_name response_param_name background_tasks_param_name "
    "security_scopes_param_name own_oauth_scopes parent_oauth_scopes use_cache path scope concurrency"
)
_PARAMETERS: dict[Callable[..., Any], str] = {
    get_request_handler: "dependant body_field status_code response_class response_field response_model_include "
    "response_model_exclude response_model_by_alias response_model_exclude_unset response_model_exclude_defaults "
    "response_model_exclude_none dependency_overrides_provider embed_body_fields strict_content_type "
    "stream_item_field is_json_stream form_limits",
    serialize_response: "field response_content include exclude by_alias exclude_unset exclude_defaults exclude_none "
    "is_coroutine endpoint_ctx dump_json",
    request_params_to_args: "fields received_params",
    _validate_value_with_model_field: "field value values loc",
    _get_param_aliases: "field convert_underscores",
    _get_cache_key: "dependant uses_scopes_cache",
}

if {field.name for field in fields(Dependant)} != {*_FIELDS.split()}:
    raise ImportError("FastAPI's Dependant has other fields")
for _function, _names in _PARAMETERS.items():
    if {*signature(_function).parameters} != {*_names.split()}:
        raise ImportError(f"FastAPI's {_function.__name__} has other parameters")


def routers(router: APIRouter) -> Iterator[APIRouter]:
    """The router and all that are included in it; one that is included twice comes twice."""
    yield router
    for route in router.routes:
        if isinstance(route, _IncludedRouter):
            yield from routers(route.original_router)


def enter(scope: Scope, route: RouteContext, path_params: dict[str, str]) -> None:
    """Says in the scope which route answers, for whoever looks there: handlers of errors, middleware, telemetry."""
    scope["path_params"] = {**scope.get("path_params", {}), **path_params}
    scope["endpoint"] = route.endpoint
    scope["route"] = route.original_route
    if (context := route._route_context) is not None:  # noqa: SLF001 - this module is for what is private
        scope.setdefault("fastapi", {})["effective_route_context"] = context


def is_generator(function: Any) -> bool:
    return _is_gen_callable(function) or _is_async_gen_callable(function)


def is_coroutine(function: Any) -> bool:
    """Whether FastAPI awaits it, rather than run it in a thread."""
    return _is_coroutine_callable(function)


def cache_key(dependant: Dependant) -> Any:
    """Equal for dependencies that share one result in a request."""
    return _get_cache_key(dependant=dependant)


def single_key(field: ModelField) -> str | None:
    """The one key that FastAPI looks a plain parameter up by; None for models, lists and parameters with aliases."""
    if _get_param_model(field) is not None or field_annotation_is_sequence(field.field_info.annotation):
        return None
    aliases = _get_param_aliases(field)
    return aliases[0][1] if len(aliases) == 1 else None


def validated(field: ModelField, value: Any) -> tuple[Any, bool]:
    """The parameter's value as FastAPI would pass it, and whether it is valid; `value` is None when it wasn't sent."""
    value = Undefined if value is None else value
    found, errors = _validate_value_with_model_field(field=field, value=value, values={}, loc=())
    return found, not errors


def response_parameter() -> Response:
    """What functions get that ask for the response: headers and a status for whatever answers in the end."""
    response = Response()
    del response.headers["content-length"]
    response.status_code = None  # type: ignore[assignment] # as FastAPI has it, for "not set"
    return response


def endpoint_context(function: Any, path: str, scope: Scope) -> EndpointContext:
    """Where an endpoint is, as FastAPI's errors say it."""
    context = _extract_endpoint_context(function)
    context["path"] = f"{scope['method']} {scope.get('root_path', '').rstrip('/')}{path}"
    return context
