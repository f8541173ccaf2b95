"""Which requests a version gets: those the project lists, and others that its OpenAPI document offers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from safestep.connections import engine
from safestep.rehearsal import Command, RehearsalError, ServiceProfile
from safestep.rehearsal.compatibility import answered
from safestep.rehearsal.http_client import HttpClient, HttpResponse
from safestep.rehearsal.openapi import OpenApiDocument
from safestep.rehearsal.preparation import workload_of
from safestep.rehearsal.requests import parse
from safestep.rehearsal.samples import Samples
from safestep.rehearsal.workload import Workload, requests_about
from safestep_support.databases import ask
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

SERVE = Command(arguments=("serve",))
UUID = {"type": "string", "format": "uuid"}
POST = {
    "type": "object",
    "required": ["author_id", "title"],
    "properties": {"author_id": UUID, "title": {"type": "string", "maxLength": 200}},
}


def operation(body: Any = None, *parameters: dict[str, Any], created: bool = False) -> dict[str, Any]:
    described: dict[str, Any] = {"responses": {"201" if created else "200": {}}, "parameters": list(parameters)}
    if body is not None:
        described["requestBody"] = {"content": {"application/json": {"schema": body}}}
    return described


def required(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": True, "schema": schema}


PATHS = {
    "/posts": {"get": operation(), "post": operation(POST, created=True)},
    "/posts/{post_id}": {
        "get": operation(),
        "patch": operation(POST, {"name": "If-Match", "in": "header", "schema": {"type": "string"}}),
        "delete": operation(),
    },
    "/posts/{post_id}/co-authorships": {"get": operation()},
    "/users/{user_id}": {"get": operation()},
    "/search": {"get": operation(None, required("q", "query", {"type": "string"}))},
    "/sign-in": {"post": operation({"type": "object", "required": []})},
    "/upload": {"put": {"requestBody": {"content": {"image/png": {}}}, "responses": {}}},
    "/strange/{key}": {"get": operation()},
}


class FakeClient(HttpClient):
    """Answers by method and path; what isn't in `answers` succeeds. Every answer has the id of a new row."""

    def __init__(self, answers: dict[str, list[int]]) -> None:
        super().__init__(0, 1, timeout=0)
        self.answers = answers
        self.requests: list[tuple[str, dict[str, str], Any]] = []

    async def send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: object | None = None
    ) -> HttpResponse:
        self.requests.append((f"{method} {path}", headers or {}, body))
        left = self.answers.get(f"{method} {path}", [])
        return HttpResponse(left.pop(0) if left else 200, {"etag": '"7"'}, b'{"id": "new"}')


@pytest.fixture
async def samples(url: URL) -> AsyncIterator[Samples]:
    """Of two users, one post of the first, and no co-author."""
    ask(url, "INSERT INTO users (id, name) SELECT gen_random_uuid(), 'Ada' FROM generate_series(1, 2)")
    ask(url, "INSERT INTO posts (id, author_id, title, body) SELECT gen_random_uuid(), id, 't', 'b' FROM users LIMIT 1")
    async with engine(url, isolation_level="AUTOCOMMIT") as opened, opened.connect() as connection:
        yield await samples_of(connection)


async def samples_of(connection: AsyncConnection, **queries: str) -> Samples:
    return await Samples.of(connection, queries)


async def workload(
    samples: Samples, profile: ServiceProfile, client: HttpClient | None = None, paths: dict[str, Any] | None = None
) -> Workload:
    document = OpenApiDocument({"paths": PATHS if paths is None else paths})
    return await workload_of(client or FakeClient({}), document, profile, samples, {"Authorization": "Bearer key"})


def names_of(workload: Workload) -> list[str]:
    return [request.name for request in workload.requests]


async def test_every_list_item_creation_and_change_of_the_document_gets_a_request(samples: Samples) -> None:
    made = await workload(samples, ServiceProfile(serve=SERVE))

    assert names_of(made) == [
        "GET /posts",
        "POST /posts",
        "GET /posts/{post_id}",
        "PATCH /posts/{post_id}",
        "GET /posts/{post_id}/co-authorships",
        "GET /users/{user_id}",
        "GET /search?q=Rehearsed%20{unique}",
    ]
    creation = next(each.template for each in made.requests if each.template.method == "POST")
    assert creation.body == {"author_id": "{author_id}", "title": "Rehearsed {unique}"}


async def test_what_cannot_be_sent_is_named_with_the_reason(samples: Samples) -> None:
    made = await workload(samples, ServiceProfile(serve=SERVE))

    assert made.notes == [
        "not sent: POST /sign-in: the document doesn't say that it creates something (201)",
        "not sent: PUT /upload: its body isn't JSON",
        "not sent: GET /strange/{key}: there are no rows for key",
    ]


async def test_excluded_and_listed_operations_are_not_made_again(samples: Samples) -> None:
    profile = ServiceProfile(
        serve=SERVE,
        requests={"GET /posts/{id}": 3},
        excluded=("GET /s*", "* /users/*", "P* /*"),
        openapi="/openapi.json",
    )

    made = await workload(samples, profile)

    assert names_of(made) == ["GET /posts/{id}", "GET /posts", "GET /posts/{post_id}/co-authorships"]
    assert [request.template.weight for request in made.requests] == [3, 2, 2]


async def test_a_version_gets_only_what_it_offers_and_the_fields_that_it_knows(samples: Samples) -> None:
    body = '{"title": "Written", "slug": "unknown here"}'
    profile = ServiceProfile(serve=SERVE, requests={f"POST /posts {body}": 1, "GET /tags": 1}, excluded=("*",))

    made = await workload(samples, profile)

    [request] = made.requests
    assert request.template.body == {"title": "Written", "author_id": "{author_id}"}


async def test_without_a_document_the_listed_requests_are_what_there_is(samples: Samples) -> None:
    profile = ServiceProfile(serve=SERVE, requests={"GET /users/{id}": 1}, anonymous_requests={"GET /posts": 1})

    made = await workload_of(FakeClient({}), None, profile, samples, {})

    assert [(each.name, each.template.is_anonymous) for each in made.requests] == [
        ("GET /users/{id}", False),
        ("GET /posts", True),
    ]


async def test_names_become_rows_and_what_is_unique(samples: Samples, url: URL) -> None:
    client = FakeClient({})
    profile = ServiceProfile(serve=SERVE, requests={'POST /users/{id} {"of": "{author_id}", "as": "N{unique}"}': 1})
    made = await workload_of(client, None, profile, samples, {})

    for _ in range(2):
        await made.send(made.requests[0])

    users = {str(key) for (key,) in ask(url, "SELECT id FROM users")}
    assert {name.removeprefix("POST /users/") for name, _, _ in client.requests} == users
    assert {body["of"] for _, _, body in client.requests} <= users
    first, second = (body["as"] for _, _, body in client.requests)
    assert first != second
    assert len(first) == len(second) == 13


async def test_samples_of_a_table_that_the_schema_lacks_are_named(url: URL) -> None:
    profile = ServiceProfile(serve=SERVE, requests={"GET /tags/{tag}": 1}, samples={"tag": "SELECT id FROM tags"})
    async with engine(url, isolation_level="AUTOCOMMIT") as opened, opened.connect() as connection:
        made = await workload_of(FakeClient({}), None, profile, await samples_of(connection, **profile.samples), {})

    assert made.requests == []
    assert made.notes == ['not sent: GET /tags/{tag}: there are no rows for tag (relation "tags" does not exist)']


async def test_samples_that_are_no_sql_end_the_rehearsal(url: URL) -> None:
    async with engine(url, isolation_level="AUTOCOMMIT") as opened, opened.connect() as connection:
        samples = await samples_of(connection, id="SELECT nonsense nonsense nonsense")
        with pytest.raises(RehearsalError, match="samples of id can't be read: syntax error"):
            await samples.of_path("id", "posts")


@pytest.mark.parametrize("line", ["get /posts", "GET posts", "POST /posts {nonsense"])
def test_a_line_that_is_no_request_is_refused(line: str) -> None:
    with pytest.raises(RehearsalError, match=line.rsplit(maxsplit=1)[-1]):
        parse(line, 1)


async def test_a_generated_request_keeps_the_rows_with_which_it_succeeds(samples: Samples, url: URL) -> None:
    hidden, shown = (str(key) for (key,) in ask(url, "SELECT id FROM users ORDER BY id"))
    client = FakeClient({f"GET /users/{hidden}": [404]})
    made = await workload(samples, ServiceProfile(serve=SERVE), client, {"/users/{user_id}": {"get": operation()}})

    found = await answered(made)

    assert [request.name for request in found.succeeded] == ["GET /users/{user_id}"]
    assert [dict(each) for each in made.requests[0].proven] == [{"user_id": shown}]


async def test_a_creation_that_cannot_be_repeated_is_refused(samples: Samples) -> None:
    client = FakeClient({"POST /posts": [201, 201, 409]})
    made = await workload(samples, ServiceProfile(serve=SERVE), client, {"/posts": {"post": PATHS["/posts"]["post"]}})

    found = await answered(made)

    assert [(request.name, fault) for request, fault in found.refused] == [
        ("POST /posts", '409 {"id": "new"}, when it is sent a second time')
    ]


async def test_a_change_says_which_version_it_is_about(samples: Samples) -> None:
    client = FakeClient({})
    made = await workload(samples, ServiceProfile(serve=SERVE, excluded=("GET *", "POST *")), client)
    [change] = [request for request in made.requests if request.template.method == "PATCH"]

    await made.send(change)

    (read, _, _), (changed, headers, _) = client.requests
    assert (read.split()[0], changed.split()[0], headers["If-Match"]) == ("GET", "PATCH", '"7"')


async def test_the_other_version_reads_and_changes_what_was_created(samples: Samples) -> None:
    profile = ServiceProfile(serve=SERVE, anonymous_requests={"GET /posts?before={post_id}": 1})
    made = await workload(samples, profile)
    creation = next(each for each in made.requests if each.template.method == "POST")

    await made.send(creation)
    about = [(each.name, bindings["post_id"]) for each, bindings in requests_about(made.created, made.requests)]

    assert about == [
        ("GET /posts?before={post_id}", "new"),
        ("GET /posts/{post_id}", "new"),
        ("PATCH /posts/{post_id}", "new"),
        ("GET /posts/{post_id}/co-authorships", "new"),
    ]
