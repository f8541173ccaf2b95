"""What every answer carries, and who may ask from where: security headers, hosts, other origins."""

import json
import re

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import URL

from tests.support.accounts import AUTH, USERS
from tests.support.answers import SECURITY, assert_problem
from tests.support.application import PRODUCTION, client_of, offline, running
from tests.support.asgi import raw
from tests.support.callers import header


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
async def test_another_host_is_misdirected(host: str) -> None:
    app = offline(allowed_hosts=HOSTS)
    status, answered, body = await raw(app, "GET", "/openapi.json", [(b"host", host.encode())])

    assert status == 421
    assert answered["content-type"] == "application/problem+json"
    assert json.loads(body)["code"] == "misdirected_request"
    assert SECURITY.items() <= answered.items()


@pytest.mark.parametrize("hosts", [[], ["api.example.com"] * 2, ["api.example.com", "evil.test"]], ids=str)
@pytest.mark.parametrize("allowed", ["", HOSTS])
async def test_a_request_without_a_host_or_with_two_is_a_400(hosts: list[str], allowed: str) -> None:
    headers = [(b"host", host.encode()) for host in hosts]
    status, answered, body = await raw(offline(allowed_hosts=allowed), "GET", "/openapi.json", headers)

    assert (status, json.loads(body)["code"]) == (400, "bad_request")
    assert SECURITY.items() <= answered.items()


async def test_every_host_is_answered_unless_some_are_named() -> None:
    async with client_of(offline()) as client:
        assert (await client.get("/openapi.json", headers={"host": "whatever.test"})).status_code == 200


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

    assert_problem(preflight, 400, "bad_request")
    assert preflight.headers["vary"].startswith("Origin")
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers
