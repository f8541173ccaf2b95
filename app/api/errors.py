"""Errors become problem+json here and nowhere else (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.core.errors import DomainError
from app.core.logs import describe_error, request_id
from app.schemas.problems import Fault, Problem

MEDIA_TYPE = "application/problem+json"

_HTTP_DETAILS = {
    400: "The request could not be read.",
    404: "There is nothing at this path.",
    405: "This path doesn't support the method.",
    413: "The request body is too large.",
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
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        request_id=request_id(),
        errors=errors,
    )
    content = body.model_dump_json(exclude_none=True)
    return Response(content, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def problems(*errors: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: its own domain errors, and those that any route can meet."""
    codes: dict[int, list[str]] = {
        422: ["validation_failed"],
        500: ["internal_error"],
        503: ["database_unavailable"],
    }
    for error in errors:
        codes.setdefault(error.status, []).append(error.code)
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in listed)}",
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status, listed in sorted(codes.items())
    }


async def on_domain_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)  # noqa: S101 - registered for this type alone
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_refused", code=error.code, **describe_error(error.__cause__ or error))
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
    return problem(error.status, error.code, error.detail, headers=headers)


async def on_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    phrase = HTTPStatus(error.status_code).phrase
    detail = _HTTP_DETAILS.get(error.status_code, f"{phrase}.")
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, phrase.lower().replace(" ", "_"), detail, headers=headers)


async def on_invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type alone
    faults = [
        Fault(loc=list(fault["loc"]), code=fault["type"], detail=fault["msg"].removeprefix("Value error, "))
        for fault in error.errors()
    ]
    return problem(422, "validation_failed", "The request is not valid; `errors` says where.", errors=faults)


def internal_error() -> Response:
    return problem(500, "internal_error", "Something went wrong on our side; the request id helps us to find it.")


def install(app: FastAPI) -> None:
    app.add_exception_handler(DomainError, on_domain_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
