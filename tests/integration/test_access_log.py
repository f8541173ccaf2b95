"""Each request has one line in the log, and an id that its client can quote."""

import json

import httpx2
import pytest
from fastapi import FastAPI

from tests.support.accounts import USERS
from tests.support.application import make_settings
from tests.support.loglines import logged

EMAIL = "canary.ada@example.com"


async def test_the_log_calls_head_by_its_name(client: httpx2.AsyncClient) -> None:
    with logged(make_settings()) as lines:
        await client.head(USERS)

    assert [event["method"] for event in lines.events] == ["HEAD"]


async def test_a_request_has_exactly_one_line_at_info(app: FastAPI, client: httpx2.AsyncClient) -> None:
    with logged(make_settings()) as lines:
        response = await client.get(f"{USERS}/?limit=3")

    [event] = lines.events
    assert event.pop("duration_ms") >= 0
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "request",
        "level": "info",
        "logger": "app.access",
        "request_id": response.headers["X-Request-ID"],
        "method": "GET",
        "path": "/api/v1/users/",
        "status": 200,
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("PUT", USERS, 405), ("POST", USERS, 422), ("GET", "/openapi.json", 200)],
)
async def test_a_refused_request_has_its_line_too(
    client: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    with logged(make_settings()) as lines:
        await client.request(method, path)

    assert [(event["event"], event["status"]) for event in lines.events] == [("request", status)]


async def test_an_address_in_a_path_is_masked_in_the_log(client: httpx2.AsyncClient) -> None:
    with logged(make_settings()) as lines:
        await client.get(f"/api/v1/users/{EMAIL}")

    assert lines.events[0]["path"] == "/api/v1/users/***"


@pytest.mark.parametrize("path", ["/nothing", USERS])
async def test_a_well_formed_request_id_is_taken(client: httpx2.AsyncClient, path: str) -> None:
    asked = "Req_2026-01.01"

    with logged(make_settings()) as lines:
        response = await client.get(path, headers={"X-Request-ID": asked})

    assert response.headers["X-Request-ID"] == asked
    assert [event["request_id"] for event in lines.events] == [asked]
    assert response.json().get("request_id", asked) == asked


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "short",
        "x" * 129,
        "with space here",
        "line\nbreak-0123",
        "tab\tinside-01",
        "bell\x07-0123456",
        "na\xefve-0123456",
        '{"a": "b-0123456"}',
        "../../etc/passwd",
    ],
)
async def test_any_other_request_id_is_replaced(client: httpx2.AsyncClient, asked: str) -> None:
    with logged(make_settings()) as lines:
        response = await client.get("/nothing", headers={"X-Request-ID": asked.encode("latin-1")})

    given = response.headers["X-Request-ID"]
    assert given != asked
    assert len(given) == 32
    assert response.json()["request_id"] == given
    assert [event["request_id"] for event in lines.events] == [given]


async def test_each_request_has_an_id_of_its_own(client: httpx2.AsyncClient) -> None:
    ids = {(await client.get("/nothing")).headers["X-Request-ID"] for _ in range(10)}

    assert len(ids) == 10


async def test_the_log_stays_json_whatever_the_path(client: httpx2.AsyncClient) -> None:
    with logged(make_settings()) as lines:
        await client.get("/%0a%22%5c%00%ff")

    assert len(lines.getvalue().splitlines()) == 1
    assert json.loads(lines.getvalue())["status"] == 404
