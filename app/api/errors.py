"""Errors become problem+json here and nowhere else (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from app.core.context import request_id
from app.core.errors import DomainError
from app.core.logs import describe_error
from app.core.tracing import trace_id
from app.schemas.base import in_words
from app.schemas.problems import Fault, Problem

MEDIA_TYPE = "application/problem+json"
MOST_FAULTS, LONGEST_NAME = 20, 100

# Titles and codes are ours to keep: the standard library's phrases change with the version of Python.
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    499: "Client Closed Request",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_HTTP_ERRORS = {
    400: ("bad_request", "The request could not be read."),
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path doesn't support the method."),
    408: ("request_timeout", "The request took too long to arrive."),
    413: ("content_too_large", "The request body is too large."),
    414: ("uri_too_long", "The URL is too long, or has too many parameters."),
    415: ("unsupported_media_type", "The request body has to be JSON and say so: `Content-Type: application/json`."),
    416: ("range_not_satisfiable", "The file has no such part; `Content-Range` says how long it is."),
    421: ("misdirected_request", "This service doesn't answer for that host."),
    431: ("request_header_fields_too_large", "The request's headers are too large, or too many."),
}

log = structlog.get_logger()


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: list[Fault] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A problem response for the request at hand."""
    body = Problem(
        title=_title(status),
        status=status,
        code=code,
        detail=detail,
        request_id=request_id(),
        trace_id=trace_id() or None,
        errors=errors,
    )
    content = body.model_dump_json(exclude_none=True)
    return Response(content, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def _title(status: int) -> str:
    return TITLES.get(status) or HTTPStatus(status).phrase


def http_problem(status: int, *, headers: dict[str, str] | None = None) -> Response:
    """A problem for an error of HTTP itself, such as an unknown path."""
    title = _title(status)
    code, detail = _HTTP_ERRORS.get(status, (title.lower().replace(" ", "_"), f"{title}."))
    return problem(status, code, detail, headers=headers)


def problem_of(error: DomainError) -> Response:
    return problem(error.status, error.code, error.detail, headers=dict(error.headers))


def problems(*errors: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: its own domain errors, and those that any route can meet."""
    codes: dict[int, list[str]] = {
        422: ["validation_failed"],
        500: ["internal_error"],
        503: ["database_unavailable", "request_timed_out"],
    }
    for error in errors:
        codes.setdefault(error.status, []).append(error.code)
    return {status: documented(status, *listed) for status, listed in sorted(codes.items())}


def documented(status: int, *codes: str) -> dict[str, Any]:
    """An error response of the OpenAPI document."""
    return {
        "description": f"{_title(status)}: {', '.join(f'`{code}`' for code in codes)}",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


async def on_domain_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)  # noqa: S101 - registered for this type alone
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_refused", code=error.code, **describe_error(error.__cause__ or error))
    return problem_of(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _method_not_allowed(_methods(request) or {"GET", "HEAD"})  # files are no routes
    return http_problem(error.status_code, headers=headers)


def _method_not_allowed(methods: set[str]) -> Response:
    return http_problem(405, headers={"Allow": ", ".join(sorted(methods))})


def _methods(request: Request) -> set[str]:
    """Every method of the request's path. The framework names only those of the first route that has the path."""
    path = request.scope["path"]
    routes = [route for route in iter_route_contexts(request.app.routes) if route.path_regex.match(path)]
    # `/users/me` is no user's id, so what `/users/{user_id}` can do isn't said of it.
    methods = {method for route in routes if route.path == routes[0].path for method in route.methods or ()}
    return methods | {"HEAD"} if "GET" in methods else methods


async def on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type alone
    if isinstance(error.body, bytes):  # FastAPI doesn't parse a body whose Content-Type isn't JSON
        return http_problem(415)
    shown = error.errors()[:MOST_FAULTS]
    # No id could be `me`, so `PATCH /users/me` is sent to `/users/me`, though `/users/{user_id}` takes the method.
    if any(fault["loc"][0] == "path" for fault in shown) and request.method not in (methods := _methods(request)):
        return _method_not_allowed(methods)
    faults = [Fault(loc=_bounded(fault["loc"]), code=fault["type"], detail=in_words(fault)) for fault in shown]
    return problem(422, "validation_failed", "The request is not valid; `errors` says where.", errors=faults)


def _bounded(location: tuple[int | str, ...]) -> list[int | str]:
    """An unknown field is named in full by Pydantic, however long its name is."""
    return [part[:LONGEST_NAME] if isinstance(part, str) else part for part in location]


def internal_error() -> Response:
    return problem(500, "internal_error", "Something went wrong on our side; the request id helps us to find it.")


def install(app: FastAPI) -> None:
    app.add_exception_handler(DomainError, on_domain_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
