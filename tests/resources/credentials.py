"""Passwords and confirmed addresses, with the links in mails that change them."""

from datetime import UTC, datetime, timedelta

import httpx2

from app.core.security import digest, new_secret
from app.db.base import Base
from app.db.models.one_time_token import OneTimeToken
from tests.support.accounts import AUTH, NEW_PASSWORD, PASSWORD, sign_in
from tests.support.resources import EVERYBODY, Field, Resource, Route
from tests.support.users import new_user
from tests.support.world import World

UNCONFIRMED = "unconfirmed@example.com"
BY_LINK = {204: "anon other owner admin key key+ a-key a-key+", 422: "gone"}


def rows(world: World) -> list[Base]:
    later = datetime.now(UTC) + timedelta(days=1)
    world.secrets |= {purpose: new_secret() for purpose in ("set_password", "verify_email")}
    links = [
        OneTimeToken(
            token_hash=digest(world.secrets[purpose]),
            user_id=world.owner.id,
            purpose=purpose,
            email=world.owner.email,
            expires_at=later,
        )
        for purpose in ("set_password", "verify_email")
    ]
    return [*links, new_user(email=UNCONFIRMED, email_verified_at=None)]


async def the_new_one_signs_in(client: httpx2.AsyncClient, world: World) -> None:
    assert (await sign_in(client, world.owner.email, "a third walk")).status_code == 200


RESOURCE = Resource(
    rows=rows,
    tables={"one_time_tokens": frozenset({"email"})},
    routes=(
        Route(
            "POST",
            f"{AUTH}/password",
            answers={204: "owner other admin", 403: "key key+ a-key a-key+", 401: "anon gone"},
            good=lambda _: {"current_password": PASSWORD, "new_password": NEW_PASSWORD},
            takes={
                "current_password": Field("a guess", refused="password_wrong"),
                "new_password": Field("a third walk", check=the_new_one_signs_in),
            },
            records=("user.updated", "auth_session.updated", "auth_session.updated"),
        ),
        Route(
            "POST",
            f"{AUTH}/password/reset",
            answers={202: EVERYBODY},
            good=lambda world: {"email": world.owner.email},
            takes={"email": Field(UNCONFIRMED)},
            records=(),  # what the link is used for is on record
            answers_first=True,
        ),
        Route(
            "POST",
            f"{AUTH}/password/reset/confirm",
            answers=BY_LINK,
            good=lambda world: {"token": world.secrets["set_password"], "password": NEW_PASSWORD},
            takes={
                "token": Field("another", refused="token_refused"),
                "password": Field("a third walk", check=the_new_one_signs_in),
            },
            records=("user.updated", "auth_session.updated", "auth_session.updated", "api_key.updated"),
        ),
        Route(
            "POST",
            f"{AUTH}/email/verify",
            answers={202: EVERYBODY},
            good=lambda world: {"email": world.owner.email},
            takes={"email": Field(UNCONFIRMED)},
            records=(),
            answers_first=True,
        ),
        Route(
            "POST",
            f"{AUTH}/email/verify/confirm",
            answers=BY_LINK,
            good=lambda world: {"token": world.secrets["verify_email"]},
            takes={"token": Field("another", refused="token_refused")},
            records=("user.updated",),
        ),
    ),
)
