"""API keys."""

from uuid_utils.compat import uuid7

from app.core.identity import Scope
from app.core.security import digest, new_api_key
from app.db.base import Base
from app.db.models.api_key import ApiKey
from tests.support.accounts import API, PASSWORD
from tests.support.resources import Case, Field, Resource, Route
from tests.support.world import World

KEYS = f"{API}/auth/api-keys"
KEY = f"{KEYS}/{{key_id}}"


def rows(world: World) -> list[Base]:
    secret, prefix = new_api_key()
    key = ApiKey(
        id=uuid7(), user_id=world.owner.id, name="a key", prefix=prefix, key_hash=digest(secret), scopes=["users:read"]
    )
    world.ids["key_id"], world.secrets["api_key"] = str(key.id), secret
    return [key]


RESOURCE = Resource(
    rows=rows,
    tables={"api_keys": frozenset({"key_hash"})},
    goes_with_owner=("api_key.deleted",),
    routes=(
        Route(
            "POST",
            KEYS,
            answers={201: "other owner admin", 403: "key key+ a-key a-key+", 401: "anon gone"},
            good=lambda _: {"name": "deploy script", "scopes": [Scope.USERS_READ], "current_password": PASSWORD},
            takes={
                "name": Field("Canary"),
                "scopes": Field(sorted(set(Scope)), by="admin"),
                "expires_at": Field("2999-01-01T00:00:00+00:00"),
                "current_password": Field("a guess", refused="password_wrong"),
            },
            records=("api_key.created",),
            cases=(
                Case(
                    "with the scope admin",
                    {201: "admin", 403: "other owner key key+ a-key a-key+", 401: "anon gone"},
                    lambda _: {"json": {"name": "a key", "scopes": [Scope.ADMIN], "current_password": PASSWORD}},
                ),
            ),
        ),
        Route("GET", KEYS, answers={200: "other owner admin", 403: "key key+ a-key a-key+", 401: "anon gone"}),
        Route(
            "DELETE",
            KEY,
            answers={204: "owner", 404: "other admin", 403: "key key+ a-key a-key+", 401: "anon gone"},
            records=("api_key.updated",),
        ),
    ),
)
