"""The one layer around every request: its id, its line in the log, and the last resort for what nobody caught."""

import re
from time import perf_counter

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import http_problem, internal_error
from app.core.logs import bound_request_id, describe_error, new_request_id

_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
_CLIENT_CLOSED = 499  # nginx's number for a client that went away; nothing is sent with it

access_log = structlog.get_logger("app.access")


class RequestLayer:
    """Pure ASGI. An exception that passed it would make the server drop the connection, so none does."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = headers.get("x-request-id", "")
        with bound_request_id(asked if _WELL_FORMED_ID.fullmatch(asked) else new_request_id()) as request_id:
            exchange = _Exchange(scope, send, request_id)
            try:
                await self._guarded(exchange, headers, receive)
            finally:
                exchange.log()

    async def _guarded(self, exchange: "_Exchange", headers: Headers, receive: Receive) -> None:
        scope = dict(exchange.scope, path=_without_trailing_slash(exchange.scope["path"]))
        try:
            if _declared_length(headers) > self._max_body_bytes:
                response = http_problem(413)
                await response(scope, receive, exchange.send)
                return
            await self._app(scope, receive, exchange.send)
        except Exception as error:  # noqa: BLE001 - the last resort: whatever it is, the client gets an answer
            access_log.error("request_failed", url=exchange.scope["path"], **describe_error(error))
            if exchange.status is None:
                await internal_error()(scope, receive, exchange.send)


class _Exchange:
    """What the log line tells of one request and its response."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self.scope = scope
        self.status: int | None = None
        self._send = send
        self._request_id = request_id
        self._started = perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self._request_id
        await self._send(message)

    def log(self) -> None:
        access_log.info(
            "request",
            method=self.scope["method"],
            path=self.scope["path"],
            status=self.status or _CLIENT_CLOSED,
            duration_ms=round((perf_counter() - self._started) * 1000, 2),
        )


def _without_trailing_slash(path: str) -> str:
    return path.rstrip("/") or "/"


def _declared_length(headers: Headers) -> int:
    declared = headers.get("content-length", "")
    return int(declared) if declared.isdecimal() else 0
