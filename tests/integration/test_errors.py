"""Errors as clients meet them: one shape, one code each, and nothing of our insides."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from app.api.errors import TITLES
from app.core.errors import DomainError
from app.main import create_app
from tests.support.accounts import AUTH, ME, USERS
from tests.support.answers import assert_problem
from tests.support.application import client_of, make_settings

JSON = {"Content-Type": "application/json"}


def test_every_status_that_occurs_has_a_title_of_ours(shared_app: FastAPI) -> None:
    documented = {
        int(status): response["description"].partition(":")[0]
        for path in shared_app.openapi()["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        if int(status) >= 400
    }

    assert documented.items() <= TITLES.items()
    assert {error.status for error in DomainError.__subclasses__()} <= TITLES.keys()
    assert TITLES.keys() - documented.keys() == {405, 408, 414, 416, 421, 431, 499}  # of no route in particular


async def test_the_titles_are_the_same_in_every_version_of_python(
    client: httpx2.AsyncClient, small: httpx2.AsyncClient
) -> None:
    """Python 3.12 says "Request Entity Too Large" and "Unprocessable Entity"."""
    large = await small.post(USERS, content=b" " * 5000, headers=JSON)
    invalid = await client.post(USERS, json={})

    assert (large.json()["title"], invalid.json()["title"]) == ("Content Too Large", "Unprocessable Content")


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024


async def test_an_unknown_path_is_a_404(client: httpx2.AsyncClient) -> None:
    assert_problem(await client.get("/api/v1/nothing"), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_method_that_a_path_lacks_is_a_405_that_names_those_it_has(
    client: httpx2.AsyncClient, method: str
) -> None:
    response = await client.request(method, USERS)

    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD, POST"


async def test_a_405_names_no_methods_of_another_path_that_looks_alike(client: httpx2.AsyncClient) -> None:
    response = await client.post(ME)

    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_path_that_is_no_id_has_its_own_methods(client: httpx2.AsyncClient, method: str) -> None:
    response = await client.request(method, ME)

    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD"


async def test_a_405_below_a_parameter_names_the_methods_too(client: httpx2.AsyncClient) -> None:
    response = await client.post(f"{USERS}/0/")

    assert response.headers["Allow"] == "DELETE, GET, HEAD, PATCH"


async def test_a_405_names_head_only_where_there_is_a_get(client: httpx2.AsyncClient) -> None:
    response = await client.head("/api/v1/auth/token")

    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "path", [USERS, f"{USERS}/", f"{USERS}/not-an-id", "/api/v1/nothing", "/openapi.json", "/docs"]
)
async def test_head_is_answered_like_get_without_the_body(client: httpx2.AsyncClient, path: str) -> None:
    same_id = {"X-Request-ID": "one-id-for-both"}

    got, head = [await client.request(method, path, headers=same_id) for method in ("GET", "HEAD")]

    assert (head.status_code, head.headers, head.content) == (got.status_code, got.headers, b"")
    assert int(head.headers["Content-Length"]) == len(got.content) > 0


@pytest.fixture
async def small(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Speaks to an application that takes bodies of 4 KiB."""
    other = create_app(make_settings(max_body_bytes=4096))
    other.dependency_overrides = app.dependency_overrides
    async with client_of(other) as client:
        yield client


async def test_a_body_that_announces_too_much_is_a_413(small: httpx2.AsyncClient) -> None:
    assert_problem(await small.post(USERS, content=b" " * 5000, headers=JSON), 413, "content_too_large")


async def test_a_body_that_announces_nothing_is_a_413_all_the_same(small: httpx2.AsyncClient) -> None:
    response = await small.post(USERS, content=chunks(8192), headers=JSON)

    assert "Content-Length" not in response.request.headers
    assert_problem(response, 413, "content_too_large")


async def test_a_body_of_just_the_limit_is_read(small: httpx2.AsyncClient) -> None:
    assert_problem(await small.post(USERS, content=chunks(4096), headers=JSON), 422, "validation_failed")


@pytest.mark.parametrize(
    ("content", "location"),
    [
        (b'{"name": 1}', ["body", "name"]),
        (b"[]", ["body"]),
        (b"null", ["body"]),
        (b"", ["body"]),
        (b'{"email": ', ["body", 10]),
        (b'{"email": "x"} trailing', ["body", 15]),
        (b'{"\\ud800": 1}', ["body"]),
        (b'{"unknown\\u0000": 1}', ["body", "unknown\0"]),
        (b'{"name": NaN}', ["body", "name"]),
    ],
)
async def test_a_body_that_is_not_valid_is_a_422_that_says_where(
    client: httpx2.AsyncClient, content: bytes, location: list[str | int]
) -> None:
    body = assert_problem(await client.post(USERS, content=content, headers=JSON), 422, "validation_failed")

    assert location in [fault["loc"] for fault in body["errors"]]
    assert all(fault.keys() == {"loc", "code", "detail"} for fault in body["errors"])


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (USERS, {f"unknown{n}": 0 for n in range(4000)}),
        (USERS, {f"unknown{n}": 0 for n in range(15)}),
        (USERS, {"n" * 60_000: 0}),
        (f"{AUTH}/api-keys", {"name": "deploy", "scopes": [f"wrong{n}" for n in range(4000)]}),
    ],
    ids=["many unknown fields", "some unknown fields", "a long name", "many wrong scopes"],
)
async def test_the_answer_to_what_is_not_valid_is_small(
    client: httpx2.AsyncClient, path: str, values: dict[str, object]
) -> None:
    response = await client.post(path, json=values)

    body = assert_problem(response, 422, "validation_failed")
    assert 1 <= len(body["errors"]) <= 20
    assert len(response.content) < 4096


async def test_more_faults_than_twenty_are_not_told(client: httpx2.AsyncClient) -> None:
    values = {"email": 1, "name": 1, "is_active": "x", "password": 1} | {f"unknown{n}": 0 for n in range(19)}

    response = await client.post(USERS, json=values)

    assert len(assert_problem(response, 422, "validation_failed")["errors"]) == 20


@pytest.mark.parametrize("query", ["x=" + "a" * 9000, "&".join(["limit=1"] * 101)], ids=["long", "many"])
async def test_a_query_that_is_too_long_is_a_414(client: httpx2.AsyncClient, query: str) -> None:
    assert_problem(await client.get(f"{USERS}?{query}"), 414, "uri_too_long")


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "image/png"])
async def test_json_that_is_not_called_json_is_a_415_that_says_how(
    client: httpx2.AsyncClient, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    response = await client.post(USERS, content=b'{"email": "ada@example.com"}', headers=headers)

    body = assert_problem(response, 415, "unsupported_media_type")
    assert "Content-Type: application/json" in body["detail"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/merge-patch+json"])
async def test_json_may_be_called_by_any_of_its_names(client: httpx2.AsyncClient, content_type: str) -> None:
    response = await client.post(USERS, content=b"{}", headers={"Content-Type": content_type})

    assert_problem(response, 422, "validation_failed")


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"name": ' + b"9" * 10_000 + b"}",
        b'{"name": "\xff\xfe"}',
    ],
    ids=["deep lists", "deep tables", "a number of 10,000 digits", "not UTF-8"],
)
async def test_a_body_that_cannot_be_read_is_a_400(client: httpx2.AsyncClient, content: bytes) -> None:
    response = await client.post(USERS, content=content, headers=JSON)

    assert_problem(response, 400, "bad_request")


@pytest.mark.parametrize("text", ["nul \\u0000", "half a pair \\ud800", "\\udfff"])
@pytest.mark.parametrize("field", ["email", "name"])
async def test_text_that_cannot_be_stored_is_a_422(client: httpx2.AsyncClient, field: str, text: str) -> None:
    values = {"email": '"ada@example.com"', field: f'"{text} of eight"'}
    content = "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"

    response = await client.post(USERS, content=content, headers=JSON)

    body = assert_problem(response, 422, "validation_failed")
    assert [fault["loc"] for fault in body["errors"]] == [["body", field]]


@pytest.mark.parametrize(
    ("url", "location"),
    [
        (f"{USERS}/not-an-id", ["path", "user_id"]),
        (f"{USERS}/%00", ["path", "user_id"]),
        (f"{USERS}?limit=0", ["query", "limit"]),
        (f"{USERS}?%ff=1", ["query", "\ufffd"]),
        (f"{USERS}?cursor=%00", ["query", "cursor"]),
    ],
)
async def test_a_path_or_query_that_is_not_valid_is_a_422_that_says_where(
    client: httpx2.AsyncClient, url: str, location: list[str]
) -> None:
    body = assert_problem(await client.get(url), 422, "validation_failed")

    assert [fault["loc"] for fault in body["errors"]] == [location]
