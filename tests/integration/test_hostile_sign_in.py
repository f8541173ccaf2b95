"""Credentials and forms made to break signing in."""

import json
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from app.api.identity import get_optional_user
from tests.support.accounts import AUTH
from tests.support.answers import assert_problem


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
    passwords = app.state.process_context.passwords
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
