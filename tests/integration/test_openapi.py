"""The contract: OpenAPI at /openapi.json is valid, whole, and true."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx2
import openapi_spec_validator
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection

from app.schemas.pages import Position
from tests.support.accounts import USERS
from tests.support.database import undone
from tests.support.resources import Route, routes, send, with_json
from tests.support.world import World

type Document = dict[str, Any]


IN_CONTRACT = [route for route in routes() if route.path.startswith("/api/")]


@pytest.fixture(scope="session")
def document(shared_app: FastAPI) -> Document:
    contract: Document = json.loads(json.dumps(shared_app.openapi()))
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


async def test_the_contract_is_served(client: httpx2.AsyncClient, document: Document) -> None:
    response = await client.get("/openapi.json")

    assert (response.status_code, response.json()) == (200, document)


def test_the_contract_is_valid_openapi(document: Document) -> None:
    openapi_spec_validator.validate(document)


def test_the_contract_points_to_nothing_that_it_lacks_and_keeps_nothing_unused(document: Document) -> None:
    present = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert set(references(document)) == present


def test_every_error_is_documented_as_a_problem(document: Document) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

    for name, operation in operations(document):
        errors = {status: each for status, each in operation["responses"].items() if int(status) >= 400}
        assert {"422", "500", "503"} <= errors.keys(), name
        assert ("413" in errors) is ("400" in errors) is ("requestBody" in operation), name
        assert ("415" in errors) is ("application/json" in operation.get("requestBody", {}).get("content", ())), name
        assert [each["content"] for each in errors.values()] == [problem] * len(errors), name


def test_the_frameworks_own_error_schemas_are_not_in_the_contract(document: Document) -> None:
    assert "HTTPValidationError" not in json.dumps(document)


def test_the_contract_tells_the_limits(document: Document) -> None:
    schemas = document["components"]["schemas"]
    name = schemas["ApiKeyCreate"]["properties"]["name"]
    password = schemas["PasswordSet"]["properties"]["password"]

    assert (name["minLength"], name["maxLength"]) == (1, 100)
    assert schemas["ApiKeyCreate"]["additionalProperties"] is False
    assert (password["minLength"], password["maxLength"]) == (8, 128)


def test_the_contract_says_where_nobody_has_to_sign_in(document: Document) -> None:
    open_to_all = {str(route) for route in IN_CONTRACT if "anon" in admitted(route)}
    optional = {name for name, operation in operations(document) if {} in operation.get("security", [{}])}

    assert optional == open_to_all


def admitted(route: Route) -> str:
    """The callers who get what they ask for."""
    return " ".join(callers for status, callers in route.answers.items() if status < 400)


def cursor_pattern(document: Document) -> str:
    (cursor,) = (each for each in document["paths"][USERS]["get"]["parameters"] if each["name"] == "cursor")
    return str(cursor["schema"]["anyOf"][0]["pattern"])


@pytest.mark.parametrize("cursor", ["A" + letter * 31 for letter in "A9_-"])
async def test_what_looks_like_a_cursor_in_the_contract_is_one(
    client: httpx2.AsyncClient, document: Document, cursor: str
) -> None:
    assert re.search(cursor_pattern(document), cursor)
    assert (await client.get(USERS, params={"cursor": cursor})).status_code == 200


@pytest.mark.parametrize("year", [1000, 1969, 2026, 9999])
def test_a_cursor_looks_as_the_contract_says(document: Document, year: int) -> None:
    assert re.search(cursor_pattern(document), Position(datetime(year, 12, 31, tzinfo=UTC), uuid4()).encode())


@pytest.mark.parametrize(("text", "is_line"), [("Ada", True), (" Ada \n", True), ("\u3000", False), ("a\nb", False)])
def test_the_contract_tells_a_line_from_other_text(document: Document, text: str, is_line: bool) -> None:
    pattern = document["components"]["schemas"]["UserCreate"]["properties"]["name"]["anyOf"][0]["pattern"]

    assert bool(re.search(pattern, text)) is is_line


def test_the_contract_tells_what_a_form_refuses(document: Document) -> None:
    form = document["components"]["schemas"]["Body_sign_in_api_v1_auth_token_post"]["properties"]

    assert form["username"]["minLength"] == form["password"]["minLength"] == 1
    assert re.search(form["grant_type"]["pattern"], "")


def assert_documented(document: Document, route: Route, response: httpx2.Response) -> None:
    documented = dict(operations(document))[str(route)]["responses"][str(response.status_code)]
    media_types = [response.headers["Content-Type"]] if response.content else []
    assert list(documented.get("content", {})) == media_types


WITH_ID = [route for route in IN_CONTRACT if "{" in route.path]
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.mark.parametrize("route", IN_CONTRACT, ids=str)
async def test_what_is_answered_is_documented(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, document: Document, route: Route
) -> None:
    for caller in ("anon", "other", "owner", "admin", "key"):
        async with undone(connection):
            response = await send(visitor, world, route, await world.headers_of(caller, route.scope))
        assert_documented(document, route, response)


@pytest.mark.parametrize("route", WITH_ID, ids=str)
async def test_that_nothing_is_there_is_documented(
    world: World, visitor: httpx2.AsyncClient, document: Document, route: Route
) -> None:
    world.ids |= dict.fromkeys(world.ids, NOBODY)

    response = await send(visitor, world, route, await world.headers_of("admin"))

    assert response.status_code == 404
    assert_documented(document, route, response)


UNREADABLE: dict[int, dict[str, Any]] = {
    400: {"content": b"[" * 60_000, "headers": {"Content-Type": "application/json"}},
    413: {"content": b" " * 9_000_000},
    415: {"content": b"{}"},
    422: {"json": {"unknown": "field"}},
}


@pytest.mark.parametrize("route", with_json(), ids=str)
@pytest.mark.parametrize("status", UNREADABLE)
async def test_a_body_that_cannot_be_taken_is_documented(
    world: World, visitor: httpx2.AsyncClient, document: Document, route: Route, status: int
) -> None:
    headers = await world.headers_of("owner") | UNREADABLE[status].get("headers", {})
    options = {name: value for name, value in UNREADABLE[status].items() if name != "headers"}

    response = await visitor.request(route.method, route.path.format(**world.ids), headers=headers, **options)

    assert response.status_code == status
    assert_documented(document, route, response)


async def test_a_conflict_is_documented(world: World, visitor: httpx2.AsyncClient, document: Document) -> None:
    taken = {"email": world.other.email, "password": "a walk along the river"}

    response = await visitor.post(USERS, json=taken)

    assert response.status_code == 409
    assert_documented(document, next(route for route in routes() if route.key == ("POST", USERS)), response)
