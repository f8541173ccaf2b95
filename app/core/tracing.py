"""Spans for an OpenTelemetry collector. Without OTEL_EXPORTER_OTLP_ENDPOINT there are none, and the SDK isn't imported.

The SDK reads its other variables itself, such as OTEL_TRACES_SAMPLER and OTEL_EXPORTER_OTLP_HEADERS. Names are those of
OpenTelemetry's semantic conventions.
"""

import contextvars
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

from opentelemetry import context as trace_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.core.product import COMMAND, VERSION

FLUSH_WITHIN = 5000  # milliseconds that what waits has to leave at the end

UNTRACED = nullcontext(INVALID_SPAN)
"""In place of a request's span, where nobody traces."""

_propagator = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans, and sends them in batches from a thread of its own. Its provider isn't the process's global one:
    FastAPI would make spans too, and compiled routes would give way to it.
    """

    def __init__(self, endpoint: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create({"service.name": COMMAND, "service.version": VERSION})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")))
        self._tracer = self._provider.get_tracer(COMMAND)

    @contextmanager
    def request(self, *, method: str, path: str, headers: Mapping[str, str]) -> Iterator[Span]:
        """The span of a request, which continues the caller's trace. `answered` tells it the rest."""
        attributes = {"http.request.method": method, "url.path": path, "url.scheme": "http"}
        parent = _propagator.extract(headers)
        with self._tracer.start_as_current_span(method, parent, SpanKind.SERVER, attributes) as span:
            yield span

    def statement(self, name: str, text: str) -> Span:
        """The span of a statement in the trace at hand; whoever starts it ends it. `text` has no values."""
        attributes = {"db.system.name": "postgresql", "db.query.summary": name, "db.query.text": text}
        return self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    def flush(self) -> None:
        """Sends what waits. Blocks."""
        self._provider.force_flush(FLUSH_WITHIN)

    def close(self) -> None:
        """Sends what waits, and ends the thread. Blocks."""
        self.flush()
        self._provider.shutdown()


def answered(span: Span, *, method: str, route: str, status: int) -> None:
    """What a request's span isn't told before."""
    span.set_attribute("http.response.status_code", status)
    if route:
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
    if status >= 500:  # noqa: PLR2004 - of a client's faults the server's span is no error
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


def trace_id() -> str:
    """Of the trace at hand, as 32 hexadecimal digits; an empty text when there is none."""
    found = trace.get_current_span().get_span_context()
    return trace.format_trace_id(found.trace_id) if found.is_valid else ""


def current() -> Context:
    """What `detached` takes; it is empty outside of a trace."""
    return trace_context.get_current()


def detached(parent: Context | None) -> contextvars.Context:
    """A context for a task that belongs to no request, but for its spans."""
    made = contextvars.Context()
    if parent:
        made.run(trace_context.attach, parent)
    return made
