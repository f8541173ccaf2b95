"""A small world to send requests into: somebody who owns a thing of every kind, somebody else, an administrator.

CHANGES has a request for every route that changes something; tests that go through all routes share it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.core.identity import Scope
from app.core.security import digest, new_api_key, new_secret
from app.db.models.api_key import ApiKey
from app.db.models.auth_session import AuthSession
from app.db.models.one_time_token import OneTimeToken
from app.db.models.post import Post
from app.db.models.refresh_token import RefreshToken
from app.db.models.user import User
from tests.support.accounts import hashed
from tests.support.callers import signed_in
from tests.support.factories import PostFactory, UserFactory

API = "/api/v1"
USERS, POSTS, AUTH = f"{API}/users", f"{API}/posts", f"{API}/auth"

PASSWORD = "a walk along the river"
NEW_PASSWORD = "a walk along the shore"
PASSWORD_HASH = hashed(PASSWORD)
USER_AGENT = "Canary/1.0"

type Save = Callable[..., Awaitable[None]]
type Options = dict[str, Any]


@dataclass(frozen=True)
class World:
    """Everything in it is the owner's, but for the other user and the administrator themselves."""

    app: FastAPI
    save: Save
    owner: User
    other: User
    admin: User
    post: Post
    draft: Post
    session: AuthSession
    key: ApiKey
    key_secret: str
    refresh_token: str
    set_password: str
    verify_email: str

    @property
    def ids(self) -> dict[str, str]:
        """What a path's parameters stand for."""
        return {
            "user_id": str(self.owner.id),
            "post_id": str(self.post.id),
            "session_id": str(self.session.id),
            "key_id": str(self.key.id),
        }

    async def as_user(self, user: User) -> dict[str, str]:
        return await signed_in(self.app, self.save, user)


async def make_world(app: FastAPI, save: Save) -> World:
    owner, other = UserFactory(password_hash=PASSWORD_HASH), UserFactory(password_hash=PASSWORD_HASH)
    admin = UserFactory(password_hash=PASSWORD_HASH, is_admin=True)
    await save(owner, other, admin)
    post, draft = PostFactory(author=owner), PostFactory(author=owner, published_at=None)
    later = datetime.now(UTC) + timedelta(days=1)
    session = AuthSession(user_id=owner.id, user_agent=USER_AGENT, expires_at=later)
    key_secret, prefix = new_api_key()
    key = ApiKey(user_id=owner.id, name="a key", prefix=prefix, key_hash=digest(key_secret), scopes=[Scope.POSTS_READ])
    await save(post, draft, session, key)
    refresh_token, set_password, verify_email = new_secret(), new_secret(), new_secret()
    await save(
        RefreshToken(token_hash=digest(refresh_token), session_id=session.id),
        *(
            OneTimeToken(
                token_hash=digest(secret), user_id=owner.id, purpose=purpose, email=owner.email, expires_at=later
            )
            for purpose, secret in (("set_password", set_password), ("verify_email", verify_email))
        ),
    )
    return World(
        app=app,
        save=save,
        owner=owner,
        other=other,
        admin=admin,
        post=post,
        draft=draft,
        session=session,
        key=key,
        key_secret=key_secret,
        refresh_token=refresh_token,
        set_password=set_password,
        verify_email=verify_email,
    )


def _json(**fields: Any) -> Options:
    return {"json": fields}


# Every route that changes something, with a request that is good when the owner sends it.
CHANGES: dict[tuple[str, str], Callable[[World], Options]] = {
    ("POST", USERS): lambda _: _json(email=f"new-{new_secret()[:8]}@example.com", name="New", password=PASSWORD),
    ("PATCH", f"{USERS}/{{user_id}}"): lambda _: _json(name="Grace"),
    ("DELETE", f"{USERS}/{{user_id}}"): lambda _: {},
    ("POST", POSTS): lambda _: _json(title="Notes", body="…"),
    ("PATCH", f"{POSTS}/{{post_id}}"): lambda _: _json(title="Better notes"),
    ("DELETE", f"{POSTS}/{{post_id}}"): lambda _: {},
    ("POST", f"{AUTH}/token"): lambda world: {"data": {"username": world.owner.email, "password": PASSWORD}},
    ("POST", f"{AUTH}/refresh"): lambda world: _json(refresh_token=world.refresh_token),
    ("POST", f"{AUTH}/logout"): lambda _: {},
    ("DELETE", f"{AUTH}/sessions/{{session_id}}"): lambda _: {},
    ("POST", f"{AUTH}/password"): lambda _: _json(current_password=PASSWORD, new_password=NEW_PASSWORD),
    ("POST", f"{AUTH}/password/reset"): lambda world: _json(email=world.owner.email),
    ("POST", f"{AUTH}/password/reset/confirm"): lambda world: _json(token=world.set_password, password=NEW_PASSWORD),
    ("POST", f"{AUTH}/email/verify"): lambda world: _json(email=world.owner.email),
    ("POST", f"{AUTH}/email/verify/confirm"): lambda world: _json(token=world.verify_email),
    ("POST", f"{AUTH}/api-keys"): lambda _: _json(name="deploy script", scopes=["posts:write"]),
    ("DELETE", f"{AUTH}/api-keys/{{key_id}}"): lambda _: {},
}

# These answer first, so that the answer tells nothing, and work afterwards.
ANSWER_FIRST = {("POST", f"{AUTH}/password/reset"), ("POST", f"{AUTH}/email/verify")}


async def send(
    client: httpx2.AsyncClient,
    world: World,
    method: str,
    path: str,
    headers: dict[str, str],
    *,
    at: str | None = None,
    **options: Any,
) -> httpx2.Response:
    """Sends the request of CHANGES, or any other with these options, about the world's own things.

    `at` is a path of the same route with something else in it.
    """
    prepared = CHANGES[method, path](world) if (method, path) in CHANGES else {}
    return await client.request(method, (at or path).format(**world.ids), headers=headers, **(prepared | options))


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    return {
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
        if route.path
    }
