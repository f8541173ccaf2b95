"""HTTP on the socket: uvicorn's protocol with limits on what a client may send and how long it may take.

What is refused here never reaches the application, so the answers are made here too.
"""

from asyncio import TimerHandle
from dataclasses import dataclass
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.api.errors import http_problem
from app.api.middleware import IS_CLOSING, SECURITY_HEADERS
from app.core import stopping
from app.core.config import Settings
from app.core.context import new_request_id, request_context

LINGERING = 2.0  # seconds
MOST_WAITING = 100
"""Requests of a connection behind the one at hand. One packet could bring thousands, and all are parsed at once."""

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


class TooManyWaiting(Exception):
    """A client sends requests faster than it gets answers. It has to send those again that got none."""


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
        self._is_refused = False
        self._timer: TimerHandle | None = None
        """Runs while the client owes the rest of a head or of a body."""
        self._write_timer: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timer()
        self._forget_write_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._in_head:
            # The parser gathers an unfinished header by itself, so what has arrived is counted too.
            self._received += len(data)
        super().data_received(data)
        self._bound_the_rest()

    def _bound_the_rest(self) -> None:
        """Limits what the client may still send of an unfinished request, and how long it may take."""
        if self._is_refused:
            return
        if self._in_head and self._received > self._limits.head_bytes:
            self._refuse(431)
        elif self._timer is None and (self._received or not self._in_head):
            self._expect()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._parsed = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url), refusal=414)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + len(b": \r\n"), refusal=431)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= MOST_WAITING:
            raise TooManyWaiting
        self._forget_timer()
        # uvicorn's own mark that the client has left is set on the last request alone, when several were pipelined.
        self.scope["state"][IS_CLOSING] = self.transport.is_closing
        super().on_headers_complete()  # raises for a URL that is none, and that is a fault of the head
        self._in_head, self._received = False, 0
        if stopping.has_begun():
            self.cycle.keep_alive = False  # the answer says so, and the client doesn't send another request here

    def on_message_complete(self) -> None:
        self._forget_timer()
        self._in_head = True
        super().on_message_complete()

    def shutdown(self) -> None:
        if self._in_head and self._received:
            return  # the rest of the request is on its way; its answer closes the connection
        super().shutdown()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():  # it waits until the client has read the rest
            self._expect_reading()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._expect_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        self._forget_write_timer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser gives up, also because a callback of ours raised HeadTooLarge."""
        self._refuse(self._refusal)

    def _count(self, size: int, *, refusal: int) -> None:
        self._parsed += size
        if self._parsed > self._limits.head_bytes or len(self.headers) >= self._limits.header_lines:
            self._refusal = refusal
            raise HeadTooLarge

    def _expect(self) -> None:
        """Starts the time that the client has for the rest of its head, or of its body."""
        seconds = self._limits.head_timeout if self._in_head else self._limits.body_timeout
        self._timer = self.loop.call_later(seconds, self._time_out)

    def _forget_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None

    def _expect_reading(self) -> None:
        """Starts the time that the client has to read what waits for it. The system's buffer is full by then."""
        self._forget_write_timer()
        if self.transport.get_write_buffer_size():
            self._write_timer = self.loop.call_later(self._limits.write_timeout, self.transport.abort)

    def _forget_write_timer(self) -> None:
        if self._write_timer:
            self._write_timer.cancel()
        self._write_timer = None

    def _time_out(self) -> None:
        self._timer = None
        if self._in_head and not self._received:  # a connection that was opened in advance and never used
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Answers with a problem, unless the client would take it for the answer to another request, and hangs up.

        What still arrives is dropped for a moment: to close a connection with unread bytes would reset it, and the
        client might never see the answer.
        """
        self._is_refused = True
        self._forget_timer()
        cycle = self.cycle
        is_active = cycle is not None and not cycle.response_complete  # type: ignore[redundant-expr]  # at first it is None
        if is_active:  # the application stops waiting for the rest
            cycle.disconnected = True
            cycle.message_event.set()
        if is_active if self._in_head else self.pipeline or cycle.response_started:
            self.transport.close()
            self._expect_reading()
            return
        self.transport.write(self._problem(status))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(LINGERING, self.transport.abort)

    def _problem(self, status: int) -> bytes:
        request_id = new_request_id()
        headers = dict(SECURITY_HEADERS) | {"X-Request-ID": request_id, "Connection": "close"}
        with request_context(request_id):
            response = http_problem(status, headers=headers)
            access_log.info("request_unreadable", status=status)
        sent = [*self.server_state.default_headers, *response.raw_headers]
        head = b"".join(b"%b: %b\r\n" % header for header in sent)
        return STATUS_LINE[status] + head + b"\r\n" + bytes(response.body)
