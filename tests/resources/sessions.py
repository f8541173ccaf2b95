"""Signing in, and the sessions that follow."""

from datetime import UTC, datetime, timedelta

from uuid_utils.compat import uuid7

from app.core.security import digest, new_secret
from app.db.base import Base
from app.db.models.auth_session import AuthSession
from app.db.models.refresh_token import RefreshToken
from tests.support.accounts import AUTH, PASSWORD
from tests.support.resources import Field, Resource, Route
from tests.support.world import World

SIGNED_IN = {204: "other owner admin", 403: "key key+ a-key a-key+", 401: "anon gone"}


def rows(world: World) -> list[Base]:
    later = datetime.now(UTC) + timedelta(days=1)
    session = AuthSession(id=uuid7(), user_id=world.owner.id, user_agent="Canary/1.0", expires_at=later)
    world.ids["session_id"], world.secrets["refresh_token"] = str(session.id), new_secret()
    return [session, RefreshToken(token_hash=digest(world.secrets["refresh_token"]), session_id=session.id)]


RESOURCE = Resource(
    rows=rows,
    tables={
        "auth_sessions": frozenset({"user_agent"}),
        "refresh_tokens": frozenset(),
        "rate_windows": frozenset(),
    },
    goes_with_owner=("auth_session.deleted", "auth_session.deleted"),  # the one below, and the one that asks
    routes=(
        Route(
            "POST",
            f"{AUTH}/token",
            answers={200: "anon other owner admin key key+ a-key a-key+", 401: "gone"},
            form=True,
            good=lambda world: {"username": world.owner.email, "password": PASSWORD},
            takes={
                "username": Field("nobody@example.com", refused="sign_in_refused"),
                "password": Field("a guess", refused="sign_in_refused"),
            },
            records=("auth_session.created",),
        ),
        Route(
            "POST",
            f"{AUTH}/refresh",
            answers={200: "anon other owner admin key key+ a-key a-key+", 401: "gone"},
            good=lambda world: {"refresh_token": world.secrets["refresh_token"]},
            takes={"refresh_token": Field("another", refused="refresh_refused")},
            records=(),  # the session is on record; a row for every refresh would drown the rest
        ),
        Route(
            "POST",
            f"{AUTH}/logout",
            answers=SIGNED_IN,
            records=("auth_session.updated",),
        ),
        Route(
            "GET",
            f"{AUTH}/sessions",
            answers={200: "other owner admin", 403: "key key+ a-key a-key+", 401: "anon gone"},
        ),
        Route(
            "DELETE",
            f"{AUTH}/sessions/{{session_id}}",
            answers={204: "owner", 404: "other admin", 403: "key key+ a-key a-key+", 401: "anon gone"},
            records=("auth_session.updated",),
        ),
    ),
)
