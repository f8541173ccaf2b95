"""What every answer carries, who may ask from where, and requests made to break things."""

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import URL
from starlette.types import Message, Scope

from app.api.deps import Write, get_db
from app.api.identity import get_optional_user
from app.api.middleware import DOCUMENTATION
from app.core.mail import Mail, Mailer, SmtpMailer
from app.db.session import Database
from app.main import create_app
from tests.support.accounts import AUTH, USERS
from tests.support.application import client_of, make_settings, running
from tests.support.callers import header
from tests.support.database import ask
from tests.support.factories import UserFactory
from tests.support.resources import Route, changes, fields, lists, routes, send, with_json
from tests.support.world import World

PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "secret_keys": {"one": "a production secret of more than 32 characters"},
}
SECURITY = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def offline(**settings: Any) -> FastAPI:
    """An application without a database, for what is answered before one is asked."""
    return create_app(make_settings(**settings))


def assert_problem(response: httpx2.Response, status: int, code: str | None = None) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    assert response.json()["request_id"] == response.headers["x-request-id"]
    if code:
        assert response.json()["code"] == code


async def answers_of_every_kind(app: FastAPI, client: httpx2.AsyncClient) -> dict[int, httpx2.Response]:
    async def fails() -> None:
        raise RuntimeError

    app.add_api_route("/fails", fails)
    created = await client.post(USERS, json={"email": "ada@example.com"})
    path = f"{USERS}/{created.json()['id']}"
    answers = [
        created,
        await client.get(path),
        await client.delete(path),
        await client.get(path),
        await client.get("/nowhere"),
        await client.put(path),
        await client.post(USERS, json={"email": "not one"}),
        await client.get(f"{AUTH}/sessions", headers=header("not a token")),
        await client.get("/fails"),
        await client.post(f"{AUTH}/password/reset", json={"email": "ada@example.com"}),
        await client.post(USERS, content=b"{}", headers={"content-length": str(2**40)}),
    ]
    return {answer.status_code: answer for answer in answers}


@pytest.mark.parametrize("production", [False, True])
async def test_every_answer_carries_the_security_headers_and_a_request_id(live_url: URL, *, production: bool) -> None:
    async with running(live_url, **(PRODUCTION if production else {})) as app, client_of(app) as client:
        answers = await answers_of_every_kind(app, client)

    assert answers.keys() == {200, 201, 202, 204, 401, 404, 405, 413, 422, 500}
    for answer in answers.values():
        assert SECURITY.items() <= dict(answer.headers).items()
        assert ("strict-transport-security" in answer.headers) == production
        assert re.fullmatch(r"[A-Za-z0-9._-]{8,128}", answer.headers["x-request-id"])
        assert "server" not in answer.headers
        if answer.status_code >= 400:
            assert_problem(answer, answer.status_code)


@pytest.mark.parametrize("path", sorted(DOCUMENTATION))
async def test_the_pages_of_documentation_may_load_their_scripts(path: str) -> None:
    async with client_of(offline(**PRODUCTION, database_url="postgresql+asyncpg://x/x")) as client:
        page = await client.get(path)

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "content-security-policy" not in page.headers
    assert {
        name: page.headers[name] for name in SECURITY.keys() - {"content-security-policy"}
    }.items() <= SECURITY.items()


HOSTS = "api.example.com, *.example.org, [::1], 192.0.2.1"


@pytest.mark.parametrize(
    "host",
    [
        "api.example.com",
        "api.example.com:8000",
        "API.Example.COM",
        "api.example.com.",
        "a.example.org",
        "a.b.example.org:443",
        "[::1]",
        "[::1]:8000",
        "192.0.2.1:80",
    ],
)
async def test_an_allowed_host_is_answered(host: str) -> None:
    async with client_of(offline(allowed_hosts=HOSTS)) as client:
        assert (await client.get("/openapi.json", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        None,
        "example.com",
        "evil.api.example.com",
        "api.example.com.evil.test",
        "example.org",
        "evilexample.org",
        "api.example.com@evil.test",
        "api.example.com:80:evil",
        "api.example.com:x",
        "[::2]",
        "::1",
        "192.0.2.10",
    ],
)
async def test_another_host_is_misdirected(host: str | None) -> None:
    app = offline(allowed_hosts=HOSTS)
    headers = [] if host is None else [(b"host", host.encode())]
    status, answered, body = await raw(app, "GET", "/openapi.json", headers)

    assert status == 421
    assert answered["content-type"] == "application/problem+json"
    assert json.loads(body)["code"] == "misdirected_request"
    assert SECURITY.items() <= answered.items()


async def test_every_host_is_answered_unless_some_are_named() -> None:
    async with client_of(offline()) as client:
        assert (await client.get("/openapi.json", headers={"host": "whatever.test"})).status_code == 200


async def raw(
    app: FastAPI, method: str, path: str, headers: list[tuple[bytes, bytes]], *chunks: bytes
) -> tuple[int, dict[str, str], bytes]:
    """A request as a server hands it over, with the chunks of its body one by one."""
    waiting = [*chunks] or [b""]
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": headers,
        "client": ("203.0.113.7", 4711),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    start, *rest = sent
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], answered, b"".join(message.get("body", b"") for message in rest)


ORIGIN = "https://app.example.com"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


def cross_origin(response: httpx2.Response) -> set[str]:
    return {name for name in response.headers if name.startswith("access-control-")}


async def test_no_other_origin_may_read_answers_by_default() -> None:
    async with client_of(offline()) as client:
        preflight = await client.options(USERS, headers=PREFLIGHT)
        answer = await client.get("/openapi.json", headers={"origin": ORIGIN})

    assert cross_origin(preflight) == cross_origin(answer) == set()
    assert_problem(preflight, 405)


async def test_an_origin_that_is_named_may_send_and_read() -> None:
    async with client_of(offline(cors_origins=f"https://other.example.com,{ORIGIN}")) as client:
        preflight = await client.options(USERS, headers=PREFLIGHT)
        answer = await client.get("/openapi.json", headers={"origin": ORIGIN})
        refused = await client.get("/nowhere", headers={"origin": ORIGIN})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert {"Authorization", "Content-Type"} <= set(preflight.headers["access-control-allow-headers"].split(", "))
    assert preflight.headers["x-request-id"]
    assert SECURITY.items() <= dict(preflight.headers).items()
    for read in (answer, refused):
        assert read.headers["access-control-allow-origin"] == ORIGIN
        assert "Retry-After" in read.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in read.headers
    assert_problem(refused, 404)


@pytest.mark.parametrize("origin", ["https://evil.test", "https://app.example.com.evil.test", "null", "*"])
async def test_an_origin_that_isnt_named_may_not(origin: str) -> None:
    async with client_of(offline(cors_origins=ORIGIN)) as client:
        preflight = await client.options(USERS, headers=PREFLIGHT | {"origin": origin})
        answer = await client.get("/openapi.json", headers={"origin": origin})

    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers


async def test_a_body_that_says_it_is_too_large_isnt_read() -> None:
    app = offline(max_body_bytes=1024)
    status, answered, body = await raw(app, "POST", USERS, [(b"content-length", b"1025")], b"")

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
    headers = [kind, *([(b"content-length", declared)] if declared else [(b"transfer-encoding", b"chunked")])]

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


@pytest.mark.parametrize("value", ["%00", "a%00b", "%ff%00", "9" * 10_000, "-" + "f" * 9999])
@pytest.mark.parametrize("route", lists(), ids=str)
async def test_a_strange_parameter_of_a_list_is_the_clients_fault(
    client: httpx2.AsyncClient, route: Route, value: str
) -> None:
    for name in [*route.query, "x"]:
        assert_problem(await client.get(f"{route.path}?{name}={value}"), 422, "validation_failed")


@pytest.mark.parametrize("identity", ["%00", "%ff", "9" * 5000, "..%2f..%2fusers", "{user_id}", "' OR 1=1 --"])
async def test_a_strange_identity_in_a_path_is_the_clients_fault(client: httpx2.AsyncClient, identity: str) -> None:
    for route in (each for each in routes() if "{" in each.path):
        response = await client.request(route.method, re.sub(r"\{\w+\}", lambda _: identity, route.path))
        assert response.status_code in (404, 405, 422)
        assert_problem(response, response.status_code)


@pytest.mark.parametrize(
    "credential",
    ["", " ", "Bearer", "Bearer ", "Bearer a b", "Basic YTpi", "Bearer \xff", "Bearer postern_", "x" * 9000],
)
async def test_a_strange_credential_opens_nothing(visitor: httpx2.AsyncClient, app: FastAPI, credential: str) -> None:
    del app.dependency_overrides[get_optional_user]

    response = await visitor.get(f"{AUTH}/sessions", headers={b"authorization": credential.encode("latin-1")})

    assert_problem(response, 401, "not_authenticated")


GOOD = {"username": "ada@example.com", "password": "a guess of mine"}
FORMS: dict[str, dict[str, Any]] = {
    "nothing": {"data": {}},
    "no-password": {"data": {"username": "ada@example.com"}},
    "no-username": {"data": {"password": "a guess of mine"}},
    "too-many-fields": {"content": b"&".join(b"a%d=1" % n for n in range(5000))},
    "too-many-separators": {"content": b"&" * 100_000},
    "json": {"json": GOOD},
    "json-as-a-form": {"content": json.dumps(GOOD).encode()},
    "another-grant": {"data": GOOD | {"grant_type": "client_credentials"}},
    "a-list-of-usernames": {"data": {"username": ["a@example.com", "b@example.com"], "password": "a guess of mine"}},
    "nul-in-the-username": {"data": GOOD | {"username": "a\x00b@example.com"}},
    "nul-in-the-password": {"data": GOOD | {"password": "\x00" * 20}},
    "invalid-utf-8": {"content": b"username=%ff%fe&password=%ff%fe%ff%fe%ff"},
    "raw-bytes": {"content": b"username=\xff\xfe&password=\xff\xfe"},
    "half-a-surrogate": {"content": b"username=%ed%a0%80&password=%ed%a0%80"},
    "a-megabyte-password": {"data": GOOD | {"password": "x" * 1_000_000}},
    "two-megabytes-password": {"data": GOOD | {"password": "x" * 2_000_000}},
    "a-megabyte-username": {"data": GOOD | {"username": "x" * 1_000_000}},
    "a-file-for-a-password": {"data": {"username": "a@example.com"}, "files": {"password": ("p", b"x" * 5000)}},
    "broken-multipart": {"content": b"--x\r\nnonsense", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    "no-boundary": {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},
    "unknown-charset": {"content": b"a=b", "headers": {"content-type": "multipart/form-data; boundary=x; charset=zz"}},
}


@pytest.mark.parametrize("name", FORMS)
async def test_a_form_made_to_break_sign_in_is_the_clients_fault(visitor: httpx2.AsyncClient, name: str) -> None:
    form = {"headers": {"content-type": "application/x-www-form-urlencoded"}} if "content" in FORMS[name] else {}

    response = await visitor.post(f"{AUTH}/token", **(form | FORMS[name]))

    assert response.status_code in (400, 401, 413, 422)
    assert_problem(response, response.status_code)


async def test_a_password_longer_than_any_isnt_even_hashed(app: FastAPI, visitor: httpx2.AsyncClient) -> None:
    hashed: list[tuple[str, str]] = []
    passwords = app.state.resources.passwords
    verify = passwords._verify

    def noted(password: str, stored: str) -> bool:
        hashed.append((password, stored))
        return bool(verify(password, stored))

    try:
        passwords._verify = noted
        refused = await visitor.post(f"{AUTH}/token", data=GOOD | {"password": "x" * 129})
        await visitor.post(f"{AUTH}/token", data=GOOD | {"password": "x" * 128})
    finally:
        del passwords._verify

    assert refused.status_code in (401, 422)
    assert [len(password) for password, _ in hashed] == [128]


class Box:
    """A mailer in front of one whose server isn't there: what should have been sent is kept, and the failure logged."""

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer
        self.mails: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)
        await self._mailer.send(mail)

    def token(self) -> str:
        found = re.search(r"#token=(\S+)", self.mails[-1].text)
        assert found
        return found[1]


@contextmanager
def captured_log() -> Iterator[io.StringIO]:
    """Everything that is logged, in the format that was configured last."""
    (handler,) = (each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler)
    written = io.StringIO()
    stream = handler.setStream(written)
    try:
        yield written
    finally:
        handler.setStream(stream)


async def live_an_account(client: httpx2.AsyncClient, box: Box) -> set[str]:
    """Goes through everything that an account goes through; the secrets that came up."""
    secrets: set[str] = set()

    def remember(response: httpx2.Response, *fields: str) -> dict[str, Any]:
        assert response.is_success, response.text
        body: dict[str, Any] = response.json()
        secrets.update(body[field] for field in fields)
        return body

    async def post(path: str, headers: dict[str, str] | None = None, **body: Any) -> httpx2.Response:
        return await client.post(path, json=body, headers=headers)

    async def sign_in(password: str) -> httpx2.Response:
        return await client.post(f"{AUTH}/token", data={"username": "canary@example.com", "password": password})

    await post(USERS, email="canary@example.com", name="canary name", password="canary password 1")
    secrets.add(box.token())
    await post(f"{AUTH}/email/verify/confirm", token=box.token())
    tokens = remember(await sign_in("canary password 1"), "access_token", "refresh_token")
    again = await post(f"{AUTH}/refresh", refresh_token=tokens["refresh_token"])
    bearer = header(remember(again, "access_token", "refresh_token")["access_token"])
    key = remember(await post(f"{AUTH}/api-keys", bearer, name="k", scopes=["users:read"]), "key")
    me = remember(await client.get(f"{USERS}/me", headers=header(key["key"])))
    fresh = {"email": "canary2@example.com", "current_password": "canary password 1"}
    change = await client.patch(f"{USERS}/{me['id']}", json=fresh, headers=bearer)
    remember(change)
    await client.post(
        f"{AUTH}/password",
        json={"current_password": "canary password 1", "new_password": "canary password 2"},
        headers=bearer,
    )
    await post(f"{AUTH}/password/reset", email="canary2@example.com")
    secrets.add(box.token())
    reset = await post(f"{AUTH}/password/reset/confirm", token=box.token(), password="canary password 3")
    assert reset.status_code == 204
    return secrets


async def go_wrong(client: httpx2.AsyncClient, url: URL) -> set[int]:
    """Asks for whatever fails; the statuses of the answers."""
    account = {"email": "canary2@example.com", "password": "canary password 4"}
    form = {"username": "canary2@example.com", "password": "canary wrong"}
    answers = [
        await client.post(USERS, json=account),
        await client.post(USERS, json=account | {"email": "canary@@example.com"}),
        await client.post(f"{AUTH}/token", data=form),
        await client.post(f"{AUTH}/refresh", json={"refresh_token": "canary-token"}),
        await client.get(f"{USERS}/me", headers=header("canary-token")),
        await client.get(f"{USERS}/me", headers=header("postern_deadbeef_canary-key")),
        await client.get(f"{USERS}?email=canary@example.com&token=canary"),
        await client.get(f"{USERS}/canary@example.com"),
        await client.post("/fails"),
        await client.post("/raises"),
    ]
    ask(url, "ALTER TABLE one_time_tokens RENAME TO elsewhere")
    answers.append(await client.post(f"{AUTH}/password/reset", json={"email": "canary2@example.com"}))
    ask(url, "DROP TABLE rate_windows")
    answers.append(await client.post(f"{AUTH}/token", data=form))
    return {answer.status_code for answer in answers}


async def fails_in_the_database(session: Write) -> None:
    session.add_all([UserFactory(email="canary-error@example.com"), UserFactory(email="CANARY-error@example.com")])
    await session.flush()


async def raises() -> None:
    raise RuntimeError("the canary's own words")


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_a_session_in_production_leaves_nothing_personal_or_secret_in_the_log(live_url: URL, level: str) -> None:
    settings = make_settings(live_url, **PRODUCTION, log_level=level, unverified_may="write", rate_limits=True)
    app = create_app(settings)
    app.add_api_route("/fails", fails_in_the_database, methods=["POST"])
    app.add_api_route("/raises", raises, methods=["POST"])
    app.state.database = Database(live_url, settings)
    app.state.resources.mailer = box = Box(SmtpMailer("smtp://canary:canary@127.0.0.1:9", "canary@example.com"))

    with captured_log() as log:
        async with client_of(app, headers={"user-agent": "canary-agent"}) as client:
            secrets = await live_an_account(client, box)
            statuses = await go_wrong(client, live_url)
    await app.state.database.close()

    assert statuses == {202, 401, 409, 422, 500}
    lines = log.getvalue().splitlines()
    events = {json.loads(line)["event"] for line in lines}
    assert {"request", "mail_not_sent", "request_failed"} <= events
    hashes = {bytes(row[0]).hex() for row in ask(live_url, "SELECT token_hash FROM refresh_tokens")}
    for line in lines:
        for secret in {"canary", "argon2", "production secret", *secrets, *hashes}:
            assert secret not in line


@pytest.mark.parametrize("route", changes(), ids=str)
async def test_no_change_logs_what_is_personal_or_secret(
    world: World, visitor: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, route: Route
) -> None:
    headers = await world.headers_of("owner")
    text = {name: field for name, field in route.takes.items() if field.by == "owner" and isinstance(field.value, str)}
    beside = {name: value for field in text.values() for name, value in field.beside.items()}
    body = beside | {name: field.value for name, field in text.items() if not field.refused}
    caplog.clear()

    response = await send(visitor, world, route, headers, **route.body(world, **body))

    assert response.is_success
    personal = {*world.secrets.values(), *(str(value) for value in body.values()), *headers.values(), "@example.com"}
    assert [value for value in personal if value in caplog.text] == []
