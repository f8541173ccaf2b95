"""Who may do what: every route for every kind of caller, in one table. Nobody here is let in by an override."""

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx2
import pytest
from fastapi import FastAPI

from app.api.identity import get_optional_user
from app.core.identity import Scope
from tests.conftest import Save
from tests.support.callers import with_key
from tests.support.world import POSTS, USERS, Options, World, make_world, routes_of, send

# Everything in a path or a body is the owner's: their account, post, session, key, tokens, password.
#
#   anon      nobody                                other     somebody else who signed in
#   owner     the owner, signed in                  admin     an administrator who signed in
#   key       the owner's key with every scope      a-key     an administrator's key with every scope
#             but the route's and `admin`                     but `admin`
#   key+      the owner's key with every scope      a-key+    an administrator's key with every scope
#   gone      the owner, deactivated, with an access token that was valid before
#
# `scope` is the one that a key needs besides being the right person's; `case` is a variant of the request.
TABLE = """
method path                                case          scope       anon other owner admin key key+ a-key a-key+ gone

GET    /openapi.json                       -             -           200  200   200   200   200 200  200   200    200
GET    /docs                               -             -           200  200   200   200   200 200  200   200    200
GET    /docs/oauth2-redirect               -             -           200  200   200   200   200 200  200   200    200
GET    /redoc                              -             -           200  200   200   200   200 200  200   200    200

GET    /verify-email                       -             -           200  200   200   200   200 200  200   200    200
GET    /set-password                       -             -           200  200   200   200   200 200  200   200    200

POST   /api/v1/users                       -             -           201  201   201   201   201 201  201   201    401
GET    /api/v1/users                       -             users:read  200  200   200   200   403 200  200   200    401
GET    /api/v1/users/me                    -             users:read  401  200   200   200   403 200  200   200    401
GET    /api/v1/users/{user_id}             -             users:read  200  200   200   200   403 200  200   200    401
PATCH  /api/v1/users/{user_id}             -             -           401  403   200   200   403 403  403   200    401
PATCH  /api/v1/users/{user_id}             deactivates   -           401  403   403   200   403 403  403   200    401
DELETE /api/v1/users/{user_id}             -             -           401  403   204   204   403 403  403   204    401

POST   /api/v1/posts                       -             posts:write 401  201   201   201   403 201  201   201    401
POST   /api/v1/posts                       for-the-owner posts:write 401  403   201   201   403 201  403   201    401
GET    /api/v1/posts                       -             posts:read  200  200   200   200   403 200  200   200    401
GET    /api/v1/posts                       drafts        posts:read  401  200   200   200   403 200  200   200    401
GET    /api/v1/posts                       owners-drafts posts:read  401  403   200   200   403 200  403   200    401
GET    /api/v1/posts/{post_id}             -             posts:read  200  200   200   200   403 200  200   200    401
GET    /api/v1/posts/{post_id}             a-draft       posts:read  404  404   200   200   403 200  404   200    401
PATCH  /api/v1/posts/{post_id}             -             posts:write 401  403   200   200   403 200  403   200    401
PATCH  /api/v1/posts/{post_id}             a-draft       posts:write 401  404   200   200   403 200  404   200    401
DELETE /api/v1/posts/{post_id}             -             posts:write 401  403   204   204   403 204  403   204    401
DELETE /api/v1/posts/{post_id}             a-draft       posts:write 401  404   204   204   403 204  404   204    401

POST   /api/v1/auth/token                  -             -           200  200   200   200   200 200  200   200    401
POST   /api/v1/auth/refresh                -             -           200  200   200   200   200 200  200   200    401
POST   /api/v1/auth/logout                 -             -           401  204   204   204   403 403  403   403    401
GET    /api/v1/auth/sessions               -             -           401  200   200   200   403 403  403   403    401
DELETE /api/v1/auth/sessions/{session_id}  -             -           401  404   204   404   403 403  403   403    401
POST   /api/v1/auth/password               -             -           401  204   204   204   403 403  403   403    401
POST   /api/v1/auth/password/reset         -             -           202  202   202   202   202 202  202   202    202
POST   /api/v1/auth/password/reset/confirm -             -           204  204   204   204   204 204  204   204    422
POST   /api/v1/auth/email/verify           -             -           202  202   202   202   202 202  202   202    202
POST   /api/v1/auth/email/verify/confirm   -             -           204  204   204   204   204 204  204   204    422
POST   /api/v1/auth/api-keys               -             -           401  201   201   201   403 403  403   403    401
POST   /api/v1/auth/api-keys               scope-admin   -           401  403   403   201   403 403  403   403    401
GET    /api/v1/auth/api-keys               -             -           401  200   200   200   403 403  403   403    401
DELETE /api/v1/auth/api-keys/{key_id}      -             -           401  404   204   404   403 403  403   403    401

GET    /api/v1/audit-events                -             -           401  403   403   200   403 403  403   200    401
"""

CASES: dict[str, Callable[[World], Options]] = {
    "-": lambda _: {},
    "deactivates": lambda _: {"json": {"is_active": False}},
    "for-the-owner": lambda world: {"json": {"title": "Notes", "body": "…", "author_id": str(world.owner.id)}},
    "drafts": lambda _: {"params": {"status": "draft"}},
    "owners-drafts": lambda world: {"params": {"status": "draft", "author_id": str(world.owner.id)}},
    "a-draft": lambda _: {},
    "scope-admin": lambda _: {"json": {"name": "a key", "scopes": ["admin"]}},
}


class Row(NamedTuple):
    method: str
    path: str
    case: str
    scope: str
    expected: dict[str, int]


def read_table(text: str) -> list[Row]:
    head, *lines = (line.split() for line in text.splitlines() if line)
    return [
        Row(method, path, case, scope, dict(zip(head[4:], map(int, statuses), strict=True)))
        for method, path, case, scope, *statuses in lines
    ]


MATRIX = read_table(TABLE)


@pytest.fixture
async def anybody(app: FastAPI, visitor: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """A client without identity in front of the application as it is in production."""
    del app.dependency_overrides[get_optional_user]
    return visitor


async def headers_of(world: World, caller: str, scope: str) -> dict[str, str]:
    if caller in ("other", "owner", "admin"):
        return await world.as_user(getattr(world, caller))
    lesser = set(Scope) - {Scope.ADMIN}
    keys = {
        "key": (world.owner, {each for each in lesser if each != scope}),
        "key+": (world.owner, set(Scope)),
        "a-key": (world.admin, lesser),
        "a-key+": (world.admin, set(Scope)),
    }
    if caller in keys:
        user, scopes = keys[caller]
        return await with_key(world.save, user, *scopes)
    if caller == "anon":
        return {}
    headers = await world.as_user(world.owner)
    world.owner.is_active = False
    await world.save(world.owner)
    return headers


def test_every_route_is_in_the_table_and_the_table_has_no_other(shared_app: FastAPI) -> None:
    assert {(row.method, row.path) for row in MATRIX} == routes_of(shared_app)


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row.method} {row.path} {row.case}")
async def test_each_caller_gets_the_answer_in_the_table(
    app: FastAPI, anybody: httpx2.AsyncClient, save: Save, row: Row
) -> None:
    answers = {}
    for caller in row.expected:
        world = await make_world(app, save)
        path = row.path.replace("{post_id}", str(world.draft.id)) if row.case == "a-draft" else row.path
        headers = await headers_of(world, caller, row.scope)
        response = await send(anybody, world, row.method, row.path, headers, **CASES[row.case](world), at=path)
        answers[caller] = response.status_code

    assert answers == row.expected


async def test_a_refusal_names_its_reason(app: FastAPI, anybody: httpx2.AsyncClient, save: Save) -> None:
    world = await make_world(app, save)
    expected = {"anon": "not_authenticated", "other": "forbidden", "a-key": "scope_missing"}
    for caller, code in expected.items():
        headers = await headers_of(world, caller, "-")
        refused = await anybody.patch(f"{USERS}/{world.owner.id}", json={"name": "Grace"}, headers=headers)
        assert refused.json()["code"] == code
        assert refused.headers["content-type"] == "application/problem+json"
        assert ("www-authenticate" in refused.headers) == (caller == "anon")


async def test_a_key_of_a_deactivated_account_opens_nothing(
    app: FastAPI, anybody: httpx2.AsyncClient, save: Save
) -> None:
    world = await make_world(app, save)
    headers = await with_key(save, world.owner, *Scope)
    assert (await anybody.get(f"{USERS}/me", headers=headers)).status_code == 200

    world.owner.is_active = False
    await save(world.owner)

    assert (await anybody.get(f"{USERS}/me", headers=headers)).status_code == 401


async def test_drafts_of_others_are_in_no_list(app: FastAPI, anybody: httpx2.AsyncClient, save: Save) -> None:
    world = await make_world(app, save)

    async def drafts_seen_by(caller: str) -> list[str]:
        headers = await headers_of(world, caller, "-")
        published = (await anybody.get(POSTS, headers=headers)).json()["items"]
        assert str(world.draft.id) not in [post["id"] for post in published]
        page = (await anybody.get(POSTS, params={"status": "draft"}, headers=headers)).json()
        return [post["id"] for post in page["items"]]

    assert await drafts_seen_by("owner") == await drafts_seen_by("admin") == [str(world.draft.id)]
    assert await drafts_seen_by("other") == await drafts_seen_by("a-key") == []


PRIVATE = {"email", "is_active", "created_at", "updated_at"}


@pytest.mark.parametrize(
    ("caller", "sees"),
    [
        ("anon", False),
        ("other", False),
        ("owner", True),
        ("admin", True),
        ("key+", True),
        ("a-key", False),
        ("a-key+", True),
    ],
)
async def test_private_fields_of_a_user_are_for_the_owner_and_administrators(
    app: FastAPI, anybody: httpx2.AsyncClient, save: Save, caller: str, *, sees: bool
) -> None:
    world = await make_world(app, save)
    headers = await headers_of(world, caller, "-")

    one = (await anybody.get(f"{USERS}/{world.owner.id}", headers=headers)).json()
    listed = (await anybody.get(USERS, headers=headers)).json()["items"]

    expected = {"id": str(world.owner.id), "name": world.owner.name}
    assert {name: one[name] for name in expected} == expected
    assert one.keys() == expected.keys() | (PRIVATE if sees else set())
    assert one in listed


async def test_in_a_list_each_sees_their_own_private_fields_only(
    app: FastAPI, anybody: httpx2.AsyncClient, save: Save
) -> None:
    world = await make_world(app, save)

    listed = (await anybody.get(USERS, headers=await world.as_user(world.other))).json()["items"]

    shown = {user["id"]: user.keys() for user in listed}
    assert shown.pop(str(world.other.id)) == {"id", "name"} | PRIVATE
    assert all(fields == {"id", "name"} for fields in shown.values())


@pytest.mark.parametrize(
    ("scopes", "fields"),
    [([Scope.USERS_READ], {"id", "name"} | PRIVATE), ([Scope.USERS_READ, Scope.ADMIN], {"id", "name"} | PRIVATE)],
)
async def test_a_key_reads_its_owner_with_the_scope_for_it(
    app: FastAPI, anybody: httpx2.AsyncClient, save: Save, scopes: list[Scope], fields: set[str]
) -> None:
    world = await make_world(app, save)

    me = await anybody.get(f"{USERS}/me", headers=await with_key(save, world.owner, *scopes))

    assert me.json().keys() == fields


async def test_authors_are_shown_by_id_and_name_alone_even_to_administrators(
    app: FastAPI, anybody: httpx2.AsyncClient, save: Save
) -> None:
    world = await make_world(app, save)
    headers = await world.as_user(world.admin)

    post = (await anybody.get(f"{POSTS}/{world.post.id}", headers=headers)).json()
    listed = (await anybody.get(POSTS, headers=headers)).json()["items"][0]

    assert post["author"] == listed["author"] == {"id": str(world.owner.id), "name": world.owner.name}


READS = sorted({row.path for row in MATRIX if row.method == "GET"})


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("caller", ["anon", "other"])
async def test_no_answer_shows_anybody_elses_address(
    app: FastAPI, anybody: httpx2.AsyncClient, save: Save, path: str, caller: str
) -> None:
    world = await make_world(app, save)
    world.owner.email = "canary@secret.example"
    await save(world.owner)

    response = await send(anybody, world, "GET", path, await headers_of(world, caller, "-"))

    assert "canary" not in response.text + str(response.headers)


async def test_every_answer_to_a_change_shows_an_address_to_its_owner_only(
    app: FastAPI, anybody: httpx2.AsyncClient, save: Save
) -> None:
    seen: dict[str, list[Any]] = {"other": [], "admin": [], "owner": []}
    for caller, found in seen.items():
        for row in MATRIX:
            world = await make_world(app, save)
            world.owner.email = f"canary-{world.owner.id}@example.com"
            await save(world.owner)
            response = await send(anybody, world, row.method, row.path, await headers_of(world, caller, row.scope))
            if "canary-" in response.text:
                found.append((row.method, row.path))

    change = ("PATCH", f"{USERS}/{{user_id}}")
    reads = [("GET", USERS), ("GET", f"{USERS}/{{user_id}}")]
    assert seen["other"] == []
    assert set(seen["admin"]) == {change, *reads}
    assert set(seen["owner"]) == {change, *reads, ("GET", f"{USERS}/me")}
