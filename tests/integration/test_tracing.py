"""Traces, as an OpenTelemetry collector gets them: of a request and of its statements."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy.engine import URL

from app.db.statement_spans import summary
from app.main import create_app
from tests.support.accounts import USERS
from tests.support.application import client_of, make_settings, running
from tests.support.loglines import logged
from tests.support.server import Clone

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


class Collector(ThreadingHTTPServer):
    """Takes spans as OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Any] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: it isn't the service's log."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector, ThreadPoolExecutor() as pool:
        pool.submit(collector.serve_forever)
        yield collector
        collector.shutdown()


@pytest.fixture(scope="module")
async def app(template: URL, collector: Collector) -> AsyncIterator[FastAPI]:
    async with Clone(template) as url:
        app = create_app(make_settings(url, otel_exporter_otlp_endpoint=collector.endpoint))
        async with running(url, app) as app:
            yield app
        app.state.tracing.close()


@pytest.fixture
async def client(app: FastAPI, collector: Collector) -> AsyncIterator[httpx2.AsyncClient]:
    app.state.tracing.flush()
    collector.spans.clear()
    async with client_of(app) as client:
        yield client


def sent(app: FastAPI, collector: Collector) -> tuple[Any, Sequence[Any]]:
    """The one span of a request, and those of its statements."""
    app.state.tracing.flush()
    (server,) = (span for span in collector.spans if span.kind == span.SPAN_KIND_SERVER)
    return server, [span for span in collector.spans if span.kind == span.SPAN_KIND_CLIENT]


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


async def test_a_request_continues_its_callers_trace(
    app: FastAPI, client: httpx2.AsyncClient, collector: Collector
) -> None:
    with logged(make_settings()) as lines:
        response = await client.get(f"{USERS}/01900000-0000-7000-8000-000000000001", headers=TRACEPARENT)

    server, _ = sent(app, collector)
    assert (server.trace_id.hex(), server.parent_span_id.hex()) == (TRACE, PARENT)
    assert server.name == f"GET {USERS}/{{user_id}}"
    told = attributes(server)
    assert told["http.request.method"] == "GET"
    assert told["http.route"] == f"{USERS}/{{user_id}}"
    assert told["http.response.status_code"] == 404
    assert server.status.code == server.status.STATUS_CODE_UNSET
    assert response.json()["trace_id"] == TRACE
    assert {event["trace_id"] for event in lines.events} == {TRACE}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_each_statement_has_a_span_in_the_requests_trace(
    app: FastAPI, client: httpx2.AsyncClient, collector: Collector, method: str
) -> None:
    await client.request(method, USERS, json={"email": "canary@example.com"} if method == "POST" else None)

    server, statements = sent(app, collector)
    assert statements
    assert {span.trace_id for span in statements} == {server.trace_id}
    assert {span.parent_span_id for span in statements} == {server.span_id}
    assert ("INSERT users" in {span.name for span in statements}) is (method == "POST")
    for span in statements:
        assert attributes(span)["db.system.name"] == "postgresql"
        assert "canary" not in str(span)


async def test_a_fault_of_ours_is_an_error(
    app: FastAPI, client: httpx2.AsyncClient, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.users.UserReadService.list_users", None)

    assert (await client.get(USERS)).status_code == 500

    server, _ = sent(app, collector)
    assert server.status.code == server.status.STATUS_CODE_ERROR


async def test_concurrent_reads_have_traces_of_their_own(
    app: FastAPI, client: httpx2.AsyncClient, collector: Collector
) -> None:
    await asyncio.gather(*(client.get(USERS) for _ in range(20)))
    app.state.tracing.flush()

    servers = [span for span in collector.spans if span.kind == span.SPAN_KIND_SERVER]
    statements = [span for span in collector.spans if span.kind == span.SPAN_KIND_CLIENT]
    assert len({span.trace_id for span in servers}) == 20
    assert 0 < len(statements) < 20
    assert {span.parent_span_id for span in statements} <= {span.span_id for span in servers}


async def test_without_a_collector_nothing_is_traced(client: httpx2.AsyncClient, template: URL) -> None:
    async with Clone(template) as url, running(url) as plain, client_of(plain) as visitor:
        response = await visitor.get(f"{USERS}/none", headers=TRACEPARENT)

    assert "trace_id" not in response.json()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT posts.id FROM posts WHERE posts.id = $1", "SELECT posts"),
        ("WITH written AS (INSERT INTO posts (id) VALUES ($1) RETURNING id) SELECT id FROM written", "INSERT posts"),
        ("UPDATE users SET name = $1", "UPDATE users"),
        ("DELETE FROM posts WHERE id = $1", "DELETE posts"),
        ("SELECT 1", "SELECT"),
        ("", "STATEMENT"),
    ],
)
def test_a_statement_is_named_by_what_it_does(statement: str, said: str) -> None:
    assert summary(statement) == said
