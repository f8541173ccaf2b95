"""Requests made to break things are the client's fault, and answered."""

import json
import re
from typing import Any

import httpx2
import pytest

from app.api.deps import get_db
from tests.support.accounts import AUTH, USERS
from tests.support.answers import SECURITY, assert_problem
from tests.support.application import offline
from tests.support.asgi import raw
from tests.support.resources import Route, fields, lists, routes, send, with_json
from tests.support.world import World

pytestmark = (
    pytest.mark.no_cover
)  # what is refused before it reaches much code: the tracer would take more time than they do


HOST = (b"host", b"postern.test")


async def test_a_body_that_says_it_is_too_large_isnt_read() -> None:
    app = offline(max_body_bytes=1024)
    status, answered, body = await raw(app, "POST", USERS, [HOST, (b"content-length", b"1025")], b"")

    assert (status, json.loads(body)["code"]) == (413, "content_too_large")
    assert SECURITY.items() <= answered.items()


JSON = (b"content-type", b"application/json")
FORM = (b"content-type", b"application/x-www-form-urlencoded")
MULTIPART = (b"content-type", b"multipart/form-data; boundary=x")
START = {MULTIPART: b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n'}


@pytest.mark.parametrize("declared", [None, b"10", b"x", b"-1"], ids=["chunked", "less", "nonsense", "negative"])
@pytest.mark.parametrize(("path", "kind"), [(USERS, JSON), (f"{AUTH}/token", FORM), (f"{AUTH}/token", MULTIPART)])
async def test_a_body_that_grows_too_large_is_cut_off(
    path: str, kind: tuple[bytes, bytes], declared: bytes | None
) -> None:
    app = offline(max_body_bytes=1024, database_url="postgresql+asyncpg://x/x")
    app.dependency_overrides[get_db] = lambda: None
    app.state.database = type("Nothing", (), {"reader": None, "transaction": None})()
    headers = [HOST, kind, *([(b"content-length", declared)] if declared else [(b"transfer-encoding", b"chunked")])]

    status, answered, body = await raw(app, "POST", path, headers, START.get(kind, b""), *[b" " * 100] * 11)

    assert (status, json.loads(body)["code"]) == (413, "content_too_large")
    assert answered["content-type"] == "application/problem+json"


DEEP = 100_000
BODIES = {
    "deep-list": b"[" * DEEP + b"]" * DEEP,
    "deep-object": b'{"name":' * DEEP + b"1" + b"}" * DEEP,
    "deep-in-a-field": b'{"email": "a@example.com", "name": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "unfinished": b'{"email": ',
    "empty": b"",
    "null": b"null",
    "a-list": b"[]",
    "a-number": b"1",
    "a-huge-integer": b"9" * 10_000,
    "a-huge-integer-in-a-field": b'{"email": "a@example.com", "name": ' + b"9" * 10_000 + b"}",
    "a-huge-exponent": b'{"email": "a@example.com", "name": 1e999999}',
    "not-a-number": b'{"email": "a@example.com", "name": NaN}',
    "nul": b'{"email": "a@example.com", "name": "a\\u0000b"}',
    "raw-nul": b'{"email": "a@example.com", "name": "a\x00b"}',
    "half-a-surrogate": b'{"email": "a@example.com", "name": "\\ud800"}',
    "invalid-utf-8": b'{"email": "a@example.com", "name": "\xff\xfe"}',
    "utf-16": '{"email": "a@example.com", "name": 1}'.encode("utf-16"),
    "repeated-field": b'{"email": "a@example.com", "email": 1}',
    "nul-in-an-address": b'{"email": "a\\u0000@example.com", "token": "\\u0000", "refresh_token": "\\ud800"}',
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_made_to_break_things_is_the_clients_fault_everywhere(
    world: World, visitor: httpx2.AsyncClient, name: str
) -> None:
    headers = await world.headers_of("owner") | {"content-type": "application/json"}
    for route in with_json():
        url = route.path.format(**world.ids)
        response = await visitor.request(route.method, url, content=BODIES[name], headers=headers)
        assert_problem(response, response.status_code)
        assert 400 <= response.status_code < 500


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", "x" * 100_000, 10**400, -(10**400), 1e308, [], {}, True, None])
async def test_a_strange_value_in_any_field_is_never_our_fault(
    world: World, visitor: httpx2.AsyncClient, value: Any
) -> None:
    headers = await world.headers_of("owner") | {"content-type": "application/json"}
    for route, field in fields():
        if not route.form:
            content = json.dumps({**route.good(world), field: value}).encode()
            url = route.path.format(**world.ids)
            response = await visitor.request(route.method, url, content=content, headers=headers)
            assert response.status_code < 500, f"{route} {field}"


@pytest.mark.parametrize("value", ["%00", "a%00b", "%ff%00", "9" * 8000, "-" + "f" * 8000])
@pytest.mark.parametrize("route", lists(), ids=str)
async def test_a_strange_parameter_of_a_list_is_the_clients_fault(
    world: World, visitor: httpx2.AsyncClient, route: Route, value: str
) -> None:
    headers = await world.headers_of("admin")
    for name in [*route.query, "x"]:
        response = await send(visitor, world, route, headers, at=f"{route.path}?{name}={value}")
        assert_problem(response, 422, "validation_failed")


@pytest.mark.parametrize("identity", ["%00", "%ff", "9" * 5000, "..%2f..%2fusers", "{user_id}", "' OR 1=1 --"])
async def test_a_strange_identity_in_a_path_is_the_clients_fault(client: httpx2.AsyncClient, identity: str) -> None:
    for route in (each for each in routes() if "{" in each.path):
        response = await client.request(route.method, re.sub(r"\{\w+\}", lambda _: identity, route.path))
        assert response.status_code in (404, 405, 422)
        assert_problem(response, response.status_code)
