"""The contract: OpenAPI at /openapi.json is valid, whole, and true."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openapi_spec_validator
import pytest

from tests.conftest import Save
from tests.support.factories import PostFactory, UserFactory

type Document = dict[str, Any]


@pytest.fixture
async def document(client: httpx2.AsyncClient) -> Document:
    response = await client.get("/openapi.json")
    assert response.status_code == 200
    contract: Document = response.json()
    return contract


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from references(each)


async def test_the_contract_is_valid_openapi(document: Document) -> None:
    openapi_spec_validator.validate(document)


async def test_the_contract_points_to_nothing_that_it_lacks_and_keeps_nothing_unused(document: Document) -> None:
    present = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert set(references(document)) == present


async def test_every_error_is_documented_as_a_problem(document: Document) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

    for name, operation in operations(document):
        errors = {status: each for status, each in operation["responses"].items() if int(status) >= 400}
        assert {"422", "500", "503"} <= errors.keys(), name
        assert ("413" in errors) is ("400" in errors) is ("requestBody" in operation), name
        assert ("415" in errors) is ("application/json" in operation.get("requestBody", {}).get("content", ())), name
        assert [each["content"] for each in errors.values()] == [problem] * len(errors), name


async def test_the_frameworks_own_error_schemas_are_not_in_the_contract(document: Document) -> None:
    assert "HTTPValidationError" not in json.dumps(document)


async def test_the_contract_tells_the_limits(document: Document) -> None:
    title = document["components"]["schemas"]["PostCreate"]["properties"]["title"]

    assert (title["minLength"], title["maxLength"]) == (1, 200)
    assert document["components"]["schemas"]["PostCreate"]["additionalProperties"] is False
    password = document["components"]["schemas"]["PasswordSet"]["properties"]["password"]
    assert (password["minLength"], password["maxLength"]) == (8, 128)


POSTS, POST, USERS, USER = "/api/v1/posts", "/api/v1/posts/{post_id}", "/api/v1/users", "/api/v1/users/{user_id}"
NOBODY = "00000000-0000-7000-8000-000000000000"
DEEP = {"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}
LARGE = {"content": b" " * 9_000_000}


def written(**values: str) -> dict[str, Any]:
    """`AUTHOR` stands for the author that the test has stored."""
    return {"json": {"author_id": "AUTHOR", "title": "Notes", "body": ""} | values}


@pytest.mark.parametrize(
    ("call", "options", "status"),
    [
        (f"GET {POSTS}", {}, 200),
        (f"GET {POSTS}", {"params": {"limit": 0}}, 422),
        (f"POST {POSTS}", {"json": {}}, 422),
        (f"POST {POSTS}", DEEP, 400),
        (f"POST {POSTS}", LARGE, 413),
        (f"POST {POSTS}", {"content": b"{}"}, 415),
        (f"POST {POSTS}", written(author_id=NOBODY), 422),
        (f"POST {POSTS}", written(), 201),
        (f"POST {POSTS}", written(slug="taken"), 409),
        (f"GET {POST}", {}, 200),
        (f"PATCH {POST}", {"json": {"title": "Changed"}}, 200),
        (f"PATCH {POST}", {"json": {"titel": "Changed"}}, 422),
        (f"DELETE {POST}", {}, 204),
        (f"POST {USERS}", {"json": {"email": "new@example.com"}}, 201),
        (f"POST {USERS}", {"json": {"email": "taken@example.com"}}, 409),
        (f"GET {USERS}", {}, 200),
        (f"GET {USER}", {}, 200),
        (f"PATCH {USER}", {"json": {"email": "ada@example.com"}}, 200),
        (f"DELETE {USER}", {}, 204),
    ],
)
async def test_what_is_answered_is_documented(
    client: httpx2.AsyncClient, save: Save, call: str, options: dict[str, Any], status: int
) -> None:
    post = PostFactory(slug="taken", author__email="taken@example.com")
    await save(post, UserFactory(email="second@example.com"))
    method, _, path = call.partition(" ")
    if "json" in options:
        known = {"AUTHOR": str(post.author.id)}
        options = {"json": {name: known.get(value, value) for name, value in options["json"].items()}}

    response = await client.request(method, path.format(post_id=post.id, user_id=post.author.id), **options)

    assert response.status_code == status
    await assert_documented(client, call, response)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [POST, USER])
async def test_that_nothing_is_there_is_documented(client: httpx2.AsyncClient, method: str, path: str) -> None:
    options = {"json": {}} if method == "PATCH" else {}

    response = await client.request(method, path.format(post_id=NOBODY, user_id=NOBODY), **options)

    assert response.status_code == 404
    await assert_documented(client, f"{method} {path}", response)


async def assert_documented(client: httpx2.AsyncClient, call: str, response: httpx2.Response) -> None:
    contract = (await client.get("/openapi.json")).json()
    documented = dict(operations(contract))[call]["responses"][str(response.status_code)]
    media_types = [response.headers["Content-Type"]] if response.content else []
    assert list(documented.get("content", {})) == media_types
