"""Users."""

from collections.abc import Mapping

import httpx2

from app.core.identity import Scope
from app.db.base import Base
from tests.support.accounts import NEW_PASSWORD, PASSWORD, USERS, sign_in
from tests.support.resources import Case, Field, Many, Resource, Route
from tests.support.world import World

USER = f"{USERS}/{{user_id}}"

READ: Mapping[int, str] = {200: "anon other owner admin key+ a-key a-key+", 403: "key", 401: "gone"}
SEE = "owner admin key+ a-key+"
NEW = "new@example.com"
MANY = """
INSERT INTO users (id, name, created_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'Author ' || n, timestamptz '2020-01-01' + n * interval '1 minute'
FROM generate_series(1, 2000) n
"""


async def password_signs_in(client: httpx2.AsyncClient, _world: World) -> None:
    assert (await sign_in(client, NEW, NEW_PASSWORD)).status_code == 200


def rows(world: World) -> list[Base]:
    world.ids["user_id"] = str(world.owner.id)
    return []


RESOURCE = Resource(
    rows=rows,
    tables={"users": frozenset({"email", "name", "password_hash"})},
    routes=(
        Route(
            "POST",
            USERS,
            answers={201: "anon other owner admin key key+ a-key a-key+", 401: "gone"},
            good=lambda _: {"email": NEW, "name": "New", "password": PASSWORD},
            takes={
                "email": Field("canary@example.com"),
                "name": Field("Canary"),
                "is_active": Field(value=False, by="admin"),
                "password": Field(NEW_PASSWORD, check=password_signs_in),
            },
            records=("user.created",),
        ),
        Route(
            "GET",
            USERS,
            answers=READ,
            shows_address_to=SEE,
            scope=Scope.USERS_READ,
            query=frozenset({"limit", "cursor"}),
            many=Many("users", (MANY,)),
        ),
        Route(
            "GET",
            f"{USERS}/me",
            answers={200: "other owner admin key+ a-key a-key+", 403: "key", 401: "anon gone"},
            shows_address_to="owner key+",
            scope=Scope.USERS_READ,
        ),
        Route("GET", USER, answers=READ, shows_address_to=SEE, scope=Scope.USERS_READ),
        Route(
            "PATCH",
            USER,
            answers={200: "owner admin a-key+", 403: "other key key+ a-key", 401: "anon gone"},
            shows_address_to="owner admin a-key+",
            good=lambda _: {"name": "Grace"},
            takes={
                "email": Field("canary@example.com", beside={"current_password": PASSWORD}),
                "name": Field("Canary"),
                "is_active": Field(value=False, by="admin"),
                "current_password": Field("a guess", refused="password_wrong", beside={"email": "canary@example.com"}),
            },
            touches=frozenset({"email_verified_at"}),
            records=("user.updated",),
            cases=(
                Case(
                    "deactivating",
                    {200: "admin a-key+", 403: "other owner key key+ a-key", 401: "anon gone"},
                    lambda _: {"json": {"is_active": False}},
                ),
            ),
        ),
        Route(
            "DELETE",
            USER,
            answers={204: "owner admin a-key+", 403: "other key key+ a-key", 401: "anon gone"},
            records=("user.deleted",),
            ends_account=True,
        ),
    ),
)
