"""HTTP on the socket: uvicorn's protocol with limits on what a client may send and how long it may take.

What is refused here never reaches the application, so the answers are made here too.
"""

from asyncio import TimerHandle
from dataclasses import dataclass
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.errors import http_problem
from app.api.middleware import SECURITY_HEADERS
from app.core.config import Settings
from app.core.context import new_request_id, request_context

access_log = structlog.get_logger("app.access")


@dataclass(frozen=True)
class HttpLimits:
    """Sizes in bytes, times in seconds."""

    head_bytes: int
    header_lines: int
    head_timeout: float
    """From the first moment of a connection, or the first byte of a further request, to the end of the head."""
    body_timeout: float
    """From the end of the head to the end of the body."""
    write_timeout: float
    """How long a client may leave a full send buffer unread."""


def limits_of(settings: Settings) -> HttpLimits:
    return HttpLimits(
        head_bytes=settings.http_head_bytes,
        header_lines=settings.http_header_lines,
        head_timeout=settings.http_head_timeout,
        body_timeout=settings.http_body_timeout,
        write_timeout=settings.http_write_timeout,
    )


class HeadTooLarge(Exception):
    """The request line and the headers are larger than allowed, or too many."""


class BoundedProtocol(HttpToolsProtocol):
    """Answers what it refuses with a problem, and closes the connection."""

    def __init__(self, *args: Any, limits: HttpLimits, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limits = limits
        self._in_head = True
        self._received = 0
        """Bytes that were received while the head at hand was incomplete."""
        self._parsed = 0
        """Bytes of its parts that the parser has handed over."""
        self._refusal = 400
        self._timer: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect("head")

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._write_timer):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if self._timer is None:
                self._expect("head")
            # The parser gathers an unfinished header by itself, so what has arrived is counted too.
            self._received += len(data)
        super().data_received(data)
        if self._in_head and self._received > self._limits.head_bytes and not self.transport.is_closing():
            self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._parsed = True, 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + len(b": \r\n"))
        if len(self.headers) >= self._limits.header_lines:
            self._refusal = 431
            raise HeadTooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._received = False, 0
        self._expect("body")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._forget_timer()
        self._in_head = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self._limits.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_timer:
            self._write_timer.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser gives up, also because a callback of ours raised HeadTooLarge."""
        self._refuse(self._refusal)

    def _count(self, size: int) -> None:
        self._parsed += size
        if self._parsed > self._limits.head_bytes:
            self._refusal = 431
            raise HeadTooLarge

    def _expect(self, part: str) -> None:
        """Starts the time that the client has for this part of its request."""
        self._forget_timer()
        seconds = self._limits.head_timeout if part == "head" else self._limits.body_timeout
        self._timer = self.loop.call_later(seconds, self._time_out)

    def _forget_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None

    def _time_out(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._in_head and not self._received:  # a connection that was opened in advance and never used
            self.transport.close()
        else:
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Answers with a problem, unless an answer is on its way already, and closes the connection."""
        self._forget_timer()
        cycle = self.cycle
        is_active = cycle is not None and not cycle.response_complete  # type: ignore[redundant-expr]  # at first it is None
        if not is_active or not (self._in_head or cycle.response_started):
            self.transport.write(self._problem(status))
        if is_active:  # the application stops waiting for the rest
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def _problem(self, status: int) -> bytes:
        request_id = new_request_id()
        headers = dict(SECURITY_HEADERS) | {"X-Request-ID": request_id, "Connection": "close"}
        with request_context(request_id):
            response = http_problem(status, headers=headers)
            access_log.info("request_unreadable", status=status)
        sent = [*self.server_state.default_headers, *response.raw_headers]
        head = b"".join(b"%b: %b\r\n" % header for header in sent)
        return STATUS_LINE[status] + head + b"\r\n" + bytes(response.body)
