"""What Prometheus is told. Names of HTTP and of connection pools are those of OpenTelemetry's semantic conventions.

Several workers write into files that all of them read (PROMETHEUS_MULTIPROC_DIR, which `serve` sets), so whichever
answers a scrape tells of all.
"""

import os
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
METHODS = frozenset(("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"))
DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)  # seconds
POOL = "db_client_connection_pool_name"

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library is typed in part

_REQUESTS = Histogram(
    "http_server_request_duration_seconds",
    "Time until the last byte of the answer was handed over.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=DURATIONS,
)
ACTIVE_REQUESTS = Gauge("http_server_active_requests", "Requests under way.", multiprocess_mode="livesum")
CONNECTIONS_USED = Gauge(
    "db_client_connection_used", "Connections that requests hold.", [POOL], multiprocess_mode="livesum"
)
CONNECTIONS_AWAITED = Gauge(
    "db_client_connection_pending_requests", "Who waits for a connection.", [POOL], multiprocess_mode="livesum"
)
CONNECTION_WAIT = Histogram(
    "db_client_connection_wait_time_seconds",
    "Time until a connection was there.",
    [POOL],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)
DATABASE_ERRORS = Counter("database_errors", "What the database refused or kept waiting, by problem code.", ["code"])
SHARED_READS = Histogram(
    "shared_read_batch_size", "How many reads one query answered.", buckets=(1, 2, 5, 10, 20, 50, 100)
)
SIGN_INS = Counter("sign_ins", "Attempts to sign in with a password.", ["outcome"])
POSTS = Counter("posts", "Changes of posts.", ["change"])
MAILS = Counter("mails", "Mails, by what became of them.", ["outcome"])

_known: dict[tuple[str, str, int], Histogram] = {}
"""To look one up among the labels would cost a request more than to count it."""


def count_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """`route` is the template, never the path: each value makes a series of its own."""
    key = method, route, status
    if (series := _known.get(key)) is None:
        series = _REQUESTS.labels(method if method in METHODS else "_OTHER", route, status)
        if len(_known) < 10_000:  # noqa: PLR2004 - methods are the client's own
            _known[key] = series
    series.observe(seconds)


class _AuditRows(Collector):
    def __init__(self, rows: int) -> None:
        self._rows = rows

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "audit_events", "Rows that were written into the audit log, by whoever.", value=self._rows
        )


def exposition(*, audit_rows: int | None) -> bytes:
    """All of it as text. Reads files when there are several workers, so it blocks."""
    registry = REGISTRY
    if os.environ.get(SHARED_FOLDER):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the same
    text = generate_latest(registry)
    if audit_rows is None:
        return text
    of_the_database = CollectorRegistry()
    of_the_database.register(_AuditRows(audit_rows))
    return text + generate_latest(of_the_database)
