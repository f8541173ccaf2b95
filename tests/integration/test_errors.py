"""Errors as clients meet them: one shape, one code each, and nothing of our insides."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException

from app.api.deps import Write
from app.api.errors import TITLES
from app.core.errors import DomainError, UserNotFound
from app.db.models import Post
from app.main import create_app
from tests.resources.posts import POSTS
from tests.support.application import client_of, make_settings, running
from tests.support.callers import Save
from tests.support.factories import UserFactory
from tests.support.loglines import logged

JSON = {"Content-Type": "application/json"}

EMAIL = "canary.ada@example.com"
PASSWORD = "canary-password-0123"
CANARIES = {
    "SQL": "SELECT canary_column FROM canary_table",
    "path": "/srv/canary/secrets.py",
    "secret": "canary-secret-0123456789",
    "e-mail": EMAIL,
    "bearer": "canary.bearer.token",
    "database": "canary-host.internal",
    "password": PASSWORD,
}
QUOTING = (
    f"{CANARIES['SQL']} in {CANARIES['path']} with {CANARIES['secret']} of {EMAIL}, Authorization: Bearer "
    f"{CANARIES['bearer']} at postgresql+asyncpg://ada:{PASSWORD}@{CANARIES['database']}/postern"
)


def assert_problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """RFC 9457, section 3, with our members; returns the body."""
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body.keys() <= {"type", "title", "status", "code", "detail", "request_id", "errors"}
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["code"] == code
    assert body["title"]
    assert body["detail"].endswith(".")
    assert body["request_id"] == response.headers["X-Request-ID"]
    return body


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
    assert TITLES.keys() - documented.keys() == {405, 421}  # of no route in particular


async def test_the_titles_are_the_same_in_every_version_of_python(
    client: httpx2.AsyncClient, small: httpx2.AsyncClient
) -> None:
    """Python 3.12 says "Request Entity Too Large" and "Unprocessable Entity"."""
    large = await small.post(POSTS, content=b" " * 5000, headers=JSON)
    invalid = await client.post(POSTS, json={})

    assert (large.json()["title"], invalid.json()["title"]) == ("Content Too Large", "Unprocessable Content")


def leaked(text: str) -> list[str]:
    return [name for name, canary in CANARIES.items() if canary in text]


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024


async def test_an_unknown_path_is_a_404(client: httpx2.AsyncClient) -> None:
    assert_problem(await client.get("/api/v1/nothing"), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_method_that_a_path_lacks_is_a_405_that_names_those_it_has(
    client: httpx2.AsyncClient, method: str
) -> None:
    response = await client.request(method, POSTS)

    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD, POST"


async def test_a_405_below_a_parameter_names_the_methods_too(client: httpx2.AsyncClient) -> None:
    response = await client.post(f"{POSTS}/0/")

    assert response.headers["Allow"] == "DELETE, GET, HEAD, PATCH"


async def test_a_405_names_head_only_where_there_is_a_get(client: httpx2.AsyncClient) -> None:
    response = await client.head("/api/v1/auth/token")

    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "path", [POSTS, f"{POSTS}/", f"{POSTS}/not-an-id", "/api/v1/nothing", "/openapi.json", "/docs"]
)
async def test_head_is_answered_like_get_without_the_body(client: httpx2.AsyncClient, path: str) -> None:
    same_id = {"X-Request-ID": "one-id-for-both"}

    got, head = [await client.request(method, path, headers=same_id) for method in ("GET", "HEAD")]

    assert (head.status_code, head.headers, head.content) == (got.status_code, got.headers, b"")
    assert int(head.headers["Content-Length"]) == len(got.content) > 0


async def test_the_log_calls_head_by_its_name(client: httpx2.AsyncClient) -> None:
    with logged(make_settings()) as lines:
        await client.head(POSTS)

    assert [event["method"] for event in lines.events] == ["HEAD"]


@pytest.fixture
async def small(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Speaks to an application that takes bodies of 4 KiB."""
    other = create_app(make_settings(max_body_bytes=4096))
    other.dependency_overrides = app.dependency_overrides
    async with client_of(other) as client:
        yield client


async def test_a_body_that_announces_too_much_is_a_413(small: httpx2.AsyncClient) -> None:
    assert_problem(await small.post(POSTS, content=b" " * 5000, headers=JSON), 413, "content_too_large")


async def test_a_body_that_announces_nothing_is_a_413_all_the_same(small: httpx2.AsyncClient) -> None:
    response = await small.post(POSTS, content=chunks(8192), headers=JSON)

    assert "Content-Length" not in response.request.headers
    assert_problem(response, 413, "content_too_large")


async def test_a_body_of_just_the_limit_is_read(small: httpx2.AsyncClient) -> None:
    assert_problem(await small.post(POSTS, content=chunks(4096), headers=JSON), 422, "validation_failed")


@pytest.mark.parametrize(
    ("content", "location"),
    [
        (b'{"title": 1}', ["body", "title"]),
        (b"[]", ["body"]),
        (b"null", ["body"]),
        (b"", ["body"]),
        (b'{"title": ', ["body", 10]),
        (b'{"author_id": "x"} trailing', ["body", 19]),
        (b'{"\\ud800": 1}', ["body"]),
        (b'{"unknown\\u0000": 1}', ["body", "unknown\0"]),
        (b'{"title": NaN}', ["body", "title"]),
    ],
)
async def test_a_body_that_is_not_valid_is_a_422_that_says_where(
    client: httpx2.AsyncClient, content: bytes, location: list[str | int]
) -> None:
    body = assert_problem(await client.post(POSTS, content=content, headers=JSON), 422, "validation_failed")

    assert location in [fault["loc"] for fault in body["errors"]]
    assert all(fault.keys() == {"loc", "code", "detail"} for fault in body["errors"])


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "image/png"])
async def test_json_that_is_not_called_json_is_a_415_that_says_how(
    client: httpx2.AsyncClient, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    response = await client.post(POSTS, content=b'{"title": "t", "body": "b"}', headers=headers)

    body = assert_problem(response, 415, "unsupported_media_type")
    assert "Content-Type: application/json" in body["detail"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/merge-patch+json"])
async def test_json_may_be_called_by_any_of_its_names(client: httpx2.AsyncClient, content_type: str) -> None:
    response = await client.post(POSTS, content=b"{}", headers={"Content-Type": content_type})

    assert_problem(response, 422, "validation_failed")


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"title": ' + b"9" * 10_000 + b"}",
        b'{"title": "\xff\xfe"}',
    ],
    ids=["deep lists", "deep tables", "a number of 10,000 digits", "not UTF-8"],
)
async def test_a_body_that_cannot_be_read_is_a_400(client: httpx2.AsyncClient, content: bytes) -> None:
    response = await client.post(POSTS, content=content, headers=JSON)

    assert_problem(response, 400, "bad_request")


@pytest.mark.parametrize("text", ["nul \\u0000", "half a pair \\ud800", "\\udfff"])
@pytest.mark.parametrize("field", ["title", "body", "slug"])
async def test_text_that_cannot_be_stored_is_a_422(
    client: httpx2.AsyncClient, save: Save, field: str, text: str
) -> None:
    user = UserFactory()
    await save(user)
    values = {"author_id": f'"{user.id}"', "title": '"t"', "body": '"b"', field: f'"{text}"'}
    content = "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"

    response = await client.post(POSTS, content=content, headers=JSON)

    body = assert_problem(response, 422, "validation_failed")
    assert [fault["loc"] for fault in body["errors"]] == [["body", field]]


@pytest.mark.parametrize(
    ("url", "location"),
    [
        (f"{POSTS}/not-an-id", ["path", "post_id"]),
        (f"{POSTS}/%00", ["path", "post_id"]),
        (f"{POSTS}?limit=0", ["query", "limit"]),
        (f"{POSTS}?%ff=1", ["query", "\ufffd"]),
        (f"{POSTS}?cursor=%00", ["query", "cursor"]),
    ],
)
async def test_a_path_or_query_that_is_not_valid_is_a_422_that_says_where(
    client: httpx2.AsyncClient, url: str, location: list[str]
) -> None:
    body = assert_problem(await client.get(url), 422, "validation_failed")

    assert [fault["loc"] for fault in body["errors"]] == [location]


async def test_a_fault_never_quotes_what_was_sent(client: httpx2.AsyncClient) -> None:
    response = await client.post(
        "/api/v1/users", json={"email": f"{EMAIL} {PASSWORD}", "name": [CANARIES["secret"]], "is_active": PASSWORD}
    )

    assert_problem(response, 422, "validation_failed")
    assert leaked(response.text) == []


def failing(app: FastAPI) -> FastAPI:
    """The application with routes that fail in every way a bug can."""

    @app.get("/quoting")
    async def quoting() -> None:
        raise RuntimeError(QUOTING)

    @app.get("/chained")
    async def chained() -> None:
        try:
            raise OSError(2, QUOTING, CANARIES["path"])
        except OSError as error:
            raise KeyError(QUOTING) from error

    @app.get("/grouped")
    async def grouped() -> None:
        raise ExceptionGroup(QUOTING, [ValueError(QUOTING)])

    @app.get("/integrity")
    async def integrity() -> None:
        raise IntegrityError(CANARIES["SQL"], {"email": EMAIL}, ValueError(QUOTING))

    @app.get("/http")
    async def http() -> None:
        raise HTTPException(403, QUOTING)

    @app.get("/domain")
    async def domain() -> None:
        raise UserNotFound(QUOTING)

    return app


@pytest.mark.parametrize("path", ["/quoting", "/chained", "/grouped", "/integrity", "/http", "/domain"])
@pytest.mark.parametrize("environment", ["development", "test", "production"])
async def test_no_body_shows_what_an_exception_quotes(environment: str, path: str) -> None:
    settings = make_settings(make_url("postgresql+asyncpg://db/postern"), environment=environment)
    async with client_of(failing(create_app(settings))) as client:
        response = await client.get(path)

    expected = {"/http": (403, "forbidden"), "/domain": (404, "user_not_found")}
    assert_problem(response, *expected.get(path, (500, "internal_error")))
    assert leaked(response.text + str(response.headers)) == []


@pytest.mark.parametrize("path", ["/quoting", "/chained", "/grouped", "/integrity", "/http", "/domain"])
async def test_no_line_of_productions_log_shows_what_an_exception_quotes(path: str) -> None:
    settings = make_settings(make_url("postgresql+asyncpg://db/postern"), environment="production")
    app = failing(create_app(settings))

    with logged(settings) as lines:
        async with client_of(app) as client:
            await client.get(path, headers={"Authorization": f"Bearer {CANARIES['bearer']}"})

    assert lines.named("request")
    assert leaked(lines.getvalue()) == []
    assert "Traceback" not in lines.getvalue()


async def test_outside_production_the_log_has_the_traceback_without_secrets() -> None:
    settings = make_settings()
    app = failing(create_app(settings))

    with logged(settings) as lines:
        async with client_of(app) as client:
            await client.get("/quoting")

    [failure] = lines.named("request_failed")
    assert "Traceback" in failure["exception"]
    assert set(leaked(failure["exception"])) <= {"SQL", "path", "secret", "database"}


async def test_a_failure_is_logged_with_its_type_its_url_and_the_clients_request_id() -> None:
    settings = make_settings(make_url("postgresql+asyncpg://db/postern"), environment="production")
    app = failing(create_app(settings))

    with logged(settings) as lines:
        async with client_of(app) as client:
            response = await client.get("/chained?email=ada@example.com")

    [failure] = lines.named("request_failed")
    assert failure["level"] == "error"
    assert failure["error_type"] == "builtins.KeyError"
    assert failure["url"] == "/chained"
    assert failure["request_id"] == response.json()["request_id"]


@pytest.mark.parametrize("environment", ["test", "production"])
async def test_a_violated_constraint_that_nobody_expected_shows_nothing_of_the_row(
    live_url: URL, environment: str
) -> None:
    """PostgreSQL's own message quotes the failing row."""
    settings = make_settings(live_url, environment=environment)
    app = create_app(settings)

    @app.post("/long")
    async def long(session: Write) -> None:
        author = UserFactory(email=EMAIL)
        session.add(Post(author=author, title=CANARIES["secret"], body="x" * 1_000_001, co_authorships=[]))
        await session.flush()

    with logged(settings) as lines:
        async with running(live_url, app, environment=environment), client_of(app) as client:
            response = await client.post("/long")

    assert_problem(response, 500, "internal_error")
    assert leaked(response.text) == []
    assert lines.named("request_failed")[0]["sqlstate"] == "23514"
    if environment == "production":
        assert leaked(lines.getvalue()) == []


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_database_that_is_down_is_a_503_that_shows_nothing_of_it(driver: str, method: str) -> None:
    url = make_url(f"postgresql+{driver}://canary:{PASSWORD}@/postern?host=/nowhere/{CANARIES['database']}")
    settings = make_settings(url, environment="production")
    app = create_app(settings)

    with logged(settings) as lines:
        async with running(url, app, environment="production"), client_of(app) as client:
            response = await client.request(
                method, "/api/v1/users", json={"email": EMAIL} if method == "POST" else None
            )

    assert_problem(response, 503, "database_unavailable")
    assert response.headers["Retry-After"] == "1"
    assert leaked(response.text) == []
    assert leaked(lines.getvalue()) == []
    [refusal] = lines.named("request_refused")
    assert refusal["code"] == "database_unavailable"
    assert refusal["error_type"]


async def test_a_request_has_exactly_one_line_at_info(app: FastAPI, client: httpx2.AsyncClient) -> None:
    with logged(make_settings()) as lines:
        response = await client.get(f"{POSTS}/?limit=3")

    [event] = lines.events
    assert event.pop("duration_ms") >= 0
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "request",
        "level": "info",
        "logger": "app.access",
        "request_id": response.headers["X-Request-ID"],
        "method": "GET",
        "path": "/api/v1/posts/",
        "status": 200,
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("PUT", POSTS, 405), ("POST", POSTS, 422), ("GET", "/openapi.json", 200)],
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


@pytest.mark.parametrize("path", ["/nothing", POSTS])
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
