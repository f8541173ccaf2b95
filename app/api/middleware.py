"""The one layer around every request: its id, its line in the log, and the last-resort handler of exceptions."""

import re
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter

import structlog
from opentelemetry.trace import Span
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.deadline import Deadline
from app.api.errors import http_problem, internal_error, problem_of
from app.core.access_log import AccessLog
from app.core.config import LARGEST_BODY, Settings
from app.core.context import Work, new_request_id, request_context
from app.core.errors import RequestTimedOut
from app.core.logs import describe_error
from app.core.metrics import ACTIVE_REQUESTS, count_request
from app.core.tracing import UNTRACED, Tracing, answered, trace_id

_WELL_FORMED_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
QUERY_BYTES, QUERY_PARAMETERS = 8192, 100
PROBES = ("/health/", "/metrics")
LOGGED_PATH = 1000  # characters

IS_CLOSING = "is_closing"
"""In a request's state: a function of the server that tells whether the connection is at its end."""

_OF_THE_BODY = ("content-type", "content-length")
_CLIENT_CLOSED = 499  # nginx's status for a client that disconnected; only logged

# What the OWASP REST Security Cheat Sheet asks of an API. Answers may be personal, so no cache keeps them.
SECURITY_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
TRANSPORT_SECURITY = (("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),)

log = structlog.get_logger()


class RequestLayer:
    """Pure ASGI. An exception that passed it would make the server drop the connection, so none does."""

    def __init__(self, app: ASGIApp, *, settings: Settings, tracing: Tracing | None = None) -> None:
        self._app = app
        self._settings = settings
        self._tracing = tracing
        self._log = AccessLog(settings)
        self._hosts = tuple(host.lower() for host in settings.hosts)
        headers = SECURITY_HEADERS + (TRANSPORT_SECURITY if settings.is_production else ())
        self._headers = tuple((name.lower().encode(), value.encode()) for name, value in headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = headers.get("x-request-id")
        request_id = asked if asked and _WELL_FORMED_ID.fullmatch(asked) else new_request_id()
        deadline = Deadline(self._settings.request_timeout)
        added = (*self._headers, (b"x-request-id", request_id.encode()))
        exchange = _Exchange(scope, receive, send, added, deadline)
        work = Work(subject=_without_trailing_slash(scope["path"]), is_client_gone=exchange.is_client_gone)
        ACTIVE_REQUESTS.inc()
        tracing = self._tracing
        spanned = tracing.request(method=scope["method"], path=exchange.path, headers=headers) if tracing else UNTRACED
        with request_context(request_id, work=work), spanned as span:
            try:
                await self._guarded(exchange, headers)
            finally:
                ACTIVE_REQUESTS.dec()
                self._account(exchange, request_id, span)

    def _account(self, exchange: "_Exchange", request_id: str, span: Span) -> None:
        status = exchange.status or _CLIENT_CLOSED
        method = exchange.scope["method"]
        if self._tracing:
            answered(span, method=method, route=exchange.route, status=status)
        count_request(method=method, route=exchange.route, status=status, seconds=exchange.duration)
        self._log.write(
            method=method,
            path=exchange.path,
            status=status,
            duration_ms=round(exchange.duration * 1000, 2),
            request_id=request_id,
            trace_id=trace_id() if self._tracing else "",
        )

    async def _guarded(self, exchange: "_Exchange", headers: Headers) -> None:
        method = "GET" if exchange.is_head else exchange.scope["method"]
        scope = dict(exchange.scope, method=method, path=_without_trailing_slash(exchange.scope["path"]))
        try:
            with exchange.deadline as deadline:
                deadline.start(later=self._settings.http_body_timeout if _has_body(headers) else 0)
                await (self._refusal(scope, headers) or self._app)(scope, exchange.receive, exchange.send)
            if deadline.has_passed and exchange.status is None:
                log.warning("request_timed_out", url=exchange.path)
                await problem_of(RequestTimedOut())(scope, exchange.receive, exchange.send)
        except Exception as error:  # noqa: BLE001 - the last resort: whatever it is, the client gets an answer
            log.error("request_failed", url=exchange.path, **describe_error(error))
            if exchange.status is None:
                await internal_error()(scope, exchange.receive, exchange.send)
        finally:
            exchange.route = route_of(scope)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """The response to a request that is refused before routing; None when it may pass."""
        if _declared_length(headers) > LARGEST_BODY:
            return http_problem(413)
        query = scope["query_string"]
        if len(query) > QUERY_BYTES or query.count(b"&") >= QUERY_PARAMETERS:
            return http_problem(414)
        hosts = headers.getlist("host")
        if len(hosts) > 1 or (not hosts and scope["http_version"] == "1.1"):  # RFC 9112, 3.2
            return http_problem(400)
        if scope["path"].startswith(PROBES):
            return None  # a balancer asks by address
        if self._hosts and not _is_one_of(headers.get("host", ""), self._hosts):
            return http_problem(421)
        return None


class _Exchange:
    """One request and its response, as the log line describes them."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, headers: tuple[tuple[bytes, bytes], ...], deadline: Deadline
    ) -> None:
        self.scope = scope
        self.deadline = deadline
        self.is_head = scope["method"] == "HEAD"
        self.path: str = scope["path"][:LOGGED_PATH]
        self.status: int | None = None
        self.route = ""
        self._receive = receive
        self._send = send
        self._headers = headers
        self._is_replaced = False
        self._is_closing: Callable[[], bool] | None = scope.get("state", {}).get(IS_CLOSING)
        self._started = self._ended = perf_counter()

    def is_client_gone(self) -> bool:
        """Whether it left without an answer, as far as the server tells."""
        return self.status is None and self._is_closing is not None and self._is_closing()

    async def receive(self) -> Message:
        """The time of the request begins when its body has arrived: how long that takes is the client's business."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self.deadline.start()
        return message

    async def send(self, message: Message) -> None:
        """Answers HEAD like GET, without the body. Replaces the framework's errors in plain text by problems."""
        if self._is_replaced:
            return
        if message["type"] == "http.response.start":
            if _is_plain_refusal(message):
                raw = Headers(raw=message.get("headers", []))
                kept = {name: value for name, value in raw.items() if name not in _OF_THE_BODY}
                await http_problem(message["status"], headers=kept)(self.scope, _nothing, self.send)
                self._is_replaced = True
                return
            self.status = message["status"]
            self.deadline.stop()  # streams may take longer, and so may what runs after the response
            headers = [*message.get("headers", ())]
            own = {name for name, _ in headers}
            headers += (header for header in self._headers if header[0] not in own)
            message = dict(message, headers=headers)
        elif self.is_head:
            message = dict(message, body=b"")
        await self._send(message)
        self._ended = perf_counter()  # background tasks after the last byte aren't part of the duration

    @property
    def duration(self) -> float:
        """Seconds."""
        return self._ended - self._started


def route_of(scope: Scope) -> str:
    """The template of the path that answered, such as `/api/v1/posts/{post_id}`; empty when there was none."""
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    path: str = getattr(route, "path", "")
    return path


def _without_trailing_slash(path: str) -> str:
    return path.rstrip("/") or "/"


def _is_one_of(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether the Host header names an allowed host; `*.example.com` allows every name below it."""
    name = re.sub(r"\.?(:\d*)?$", "", host).lower()
    return any(name == each or (each.startswith("*.") and name.endswith(each[1:])) for each in allowed)


def _declared_length(headers: Headers) -> int:
    declared = headers.get("content-length", "")
    return int(declared[:20]) if declared.isdecimal() else 0


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or _declared_length(headers) > 0


def _is_plain_refusal(start: Message) -> bool:
    """Whether it begins an answer of `max_body_size`, of files or of CORS, which no handler of errors sees."""
    if start["status"] < HTTPStatus.BAD_REQUEST:
        return False
    return Headers(raw=start.get("headers", [])).get("content-type", "").startswith("text/plain")


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
