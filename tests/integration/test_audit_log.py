"""The record of what everybody did: complete, in the transaction of the change, and never rewritten."""

from collections.abc import Sequence
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from anyio import to_thread
from fastapi import FastAPI
from sqlalchemy import delete, insert, text, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker

from app.api.identity import get_optional_user
from app.cli.main import run
from app.core.identity import Scope
from app.db.base import Base
from app.db.models.co_authorship import CoAuthorship
from app.db.models.post import Post
from app.db.models.user import User
from app.db.session import Database
from tests.conftest import Save
from tests.support.application import client_of
from tests.support.callers import with_key
from tests.support.database import ask, count
from tests.support.factories import PostFactory, UserFactory
from tests.support.world import (
    AUTH,
    CHANGES,
    NEW_PASSWORD,
    PASSWORD,
    POSTS,
    USER_AGENT,
    USERS,
    World,
    make_world,
    send,
)

EVENTS = "/api/v1/audit-events"

# What every changing route leaves in the log when the owner of everything uses it, oldest first.
TOLD: dict[tuple[str, str], list[str]] = {
    ("POST", USERS): ["user.created"],
    ("PATCH", f"{USERS}/{{user_id}}"): ["user.updated"],
    ("DELETE", f"{USERS}/{{user_id}}"): ["post.deleted", "post.deleted", "user.deleted"],
    ("POST", POSTS): ["post.created"],
    ("PATCH", f"{POSTS}/{{post_id}}"): ["post.updated"],
    ("DELETE", f"{POSTS}/{{post_id}}"): ["post.deleted"],
    ("POST", f"{AUTH}/token"): ["auth_session.created"],
    ("POST", f"{AUTH}/logout"): ["auth_session.updated"],
    ("DELETE", f"{AUTH}/sessions/{{session_id}}"): ["auth_session.updated"],
    ("POST", f"{AUTH}/password"): ["user.updated", "auth_session.updated", "auth_session.updated"],
    ("POST", f"{AUTH}/password/reset/confirm"): [
        *("user.updated", "auth_session.updated", "auth_session.updated", "api_key.updated"),
    ],
    ("POST", f"{AUTH}/email/verify/confirm"): ["user.updated"],
    ("POST", f"{AUTH}/api-keys"): ["api_key.created"],
    ("DELETE", f"{AUTH}/api-keys/{{key_id}}"): ["api_key.updated"],
}
# A session is on record, not each of its refreshes; and so is what a mailed link is used for, not each link.
UNTOLD = {("POST", f"{AUTH}/refresh"), ("POST", f"{AUTH}/password/reset"), ("POST", f"{AUTH}/email/verify")}


@pytest.fixture
async def world(app: FastAPI, save: Save) -> World:
    del app.dependency_overrides[get_optional_user]
    return await make_world(app, save)


@pytest.fixture
async def events(connection: AsyncConnection) -> Any:
    """The audit rows of one request, oldest first, straight from the table."""

    async def events(request_id: str) -> Sequence[Any]:
        statement = text("SELECT * FROM audit_events WHERE request_id = :request_id ORDER BY id")
        return (await connection.execute(statement, {"request_id": request_id})).all()

    return events


async def contents(connection: AsyncConnection) -> dict[str, list[str]]:
    """Everything that is stored."""
    return {
        table: [str(row) for row in (await connection.scalars(text(f"SELECT t::text FROM {table} t ORDER BY 1"))).all()]
        for table in Base.metadata.tables
    }


def test_every_changing_route_has_a_stated_record() -> None:
    assert TOLD.keys() | UNTOLD == CHANGES.keys()
    assert not TOLD.keys() & UNTOLD


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_a_change_is_told_with_who_and_what_and_by_which_request(
    world: World,
    visitor: httpx2.AsyncClient,
    connection: AsyncConnection,
    events: Any,
    method: str,
    path: str,
) -> None:
    headers = await world.as_user(world.owner)

    response = await send(visitor, world, method, path, headers)

    assert response.is_success
    told = await events(response.headers["x-request-id"])
    now = await connection.scalar(text("SELECT now()"))  # the time of the transaction, which is the test's
    assert [row.action for row in told] == TOLD.get((method, path), [])
    for row in told:
        assert row.entity == row.action.partition(".")[0]
        assert isinstance(row.entity_id, UUID)
        assert row.at == now
        assert (row.actor_kind, row.actor_id) == ("user", world.owner.id)


PERSONAL = ("canary", "Canary", PASSWORD, NEW_PASSWORD, "argon2", "…")


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_no_audit_row_holds_a_personal_value(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, method: str, path: str
) -> None:
    headers = await world.as_user(world.owner) | {"User-Agent": USER_AGENT}
    personal: dict[str, dict[str, Any]] = {
        USERS: {"json": {"email": "canary@example.com", "name": "Canary", "password": PASSWORD}},
        f"{USERS}/{{user_id}}": {
            "json": {"email": "canary@example.com", "name": "Canary", "current_password": PASSWORD}
        },
        POSTS: {"json": {"title": "Notes", "body": "canary " * 100}},
        f"{POSTS}/{{post_id}}": {"json": {"title": "Notes", "body": "canary " * 100}},
    }

    response = await send(
        visitor, world, method, path, headers, **(personal.get(path, {}) if method != "DELETE" else {})
    )

    assert response.is_success
    log = "\n".join((await contents(connection))["audit_events"])
    stored = (await connection.execute(text("SELECT email, name, password_hash FROM users"))).all()
    secrets = [world.key_secret, world.refresh_token, world.set_password, world.verify_email, world.post.body]
    hashes = [
        bytes(found).hex()
        for query in ("key_hash FROM api_keys", "token_hash FROM refresh_tokens", "token_hash FROM one_time_tokens")
        for found in await connection.scalars(text(f"SELECT {query}"))
    ]
    for value in (*PERSONAL, *secrets, *hashes, *(value for row in stored for value in row if value)):
        assert value not in log


async def test_changed_fields_are_told_with_both_values_and_personal_ones_masked(
    world: World, visitor: httpx2.AsyncClient, events: Any
) -> None:
    headers = await world.as_user(world.admin)
    path = f"{USERS}/{world.owner.id}"

    changed = await visitor.patch(path, json={"name": "Grace", "is_active": False}, headers=headers)
    unchanged = await visitor.patch(path, json={"name": "Grace", "is_active": False}, headers=headers)

    told, *ended = await events(changed.headers["x-request-id"])
    assert {row.action for row in ended} == {"auth_session.updated"}
    assert told.changes == {"name": ["***", "***"], "is_active": [True, False]}
    assert (told.entity_id, told.actor_id) == (world.owner.id, world.admin.id)
    assert await events(unchanged.headers["x-request-id"]) == []


async def test_a_new_post_is_told_with_its_fields_but_not_its_text(
    world: World, visitor: httpx2.AsyncClient, events: Any
) -> None:
    headers = await world.as_user(world.owner)

    response = await visitor.post(POSTS, json={"title": "Notes", "body": "canary", "draft": True}, headers=headers)

    (told,) = await events(response.headers["x-request-id"])
    assert told.entity_id == UUID(response.json()["id"])
    assert told.changes["author_id"] == [None, str(world.owner.id)]
    assert told.changes["title"] == [None, "Notes"]
    assert told.changes["body"] == [None, "***"]


async def test_a_request_that_fails_tells_nothing(world: World, visitor: httpx2.AsyncClient, events: Any) -> None:
    headers = await world.as_user(world.owner)

    change = {"email": world.other.email, "current_password": PASSWORD}
    taken = await visitor.patch(f"{USERS}/{world.owner.id}", json=change, headers=headers)

    assert taken.status_code == 409
    assert await events(taken.headers["x-request-id"]) == []


FAILS = (
    """CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the canary'; END $$""",
    "CREATE TRIGGER fails BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION fail()",
)


@pytest.mark.parametrize(("method", "path"), TOLD)
async def test_if_the_record_fails_the_change_fails(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, method: str, path: str
) -> None:
    headers = await world.as_user(world.owner)
    for statement in FAILS:
        await connection.execute(text(statement))
    before = await contents(connection)

    response = await send(visitor, world, method, path, headers)

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "canary" not in response.text
    assert await contents(connection) == before


async def test_a_change_and_its_record_are_one_transaction(live_app: FastAPI, live_url: URL) -> None:
    async with client_of(live_app) as client:
        created = await client.post(USERS, json={"email": "ada@example.com"})
        writers = ask(live_url, "SELECT DISTINCT xmin::text FROM users UNION SELECT xmin::text FROM audit_events")
        ask(live_url, "ALTER TABLE audit_events RENAME TO elsewhere")
        refused = await client.post(USERS, json={"email": "grace@example.com"})

    assert created.status_code == 201
    assert len(writers) == 1
    assert refused.status_code == 500
    assert count(live_url, "users") == 1


async def test_the_record_says_who_it_was(world: World, visitor: httpx2.AsyncClient, save: Save, events: Any) -> None:
    async def actors(headers: dict[str, str]) -> list[tuple[str, UUID | None]]:
        response = await send(visitor, world, "POST", USERS, headers)
        return [(row.actor_kind, row.actor_id) for row in await events(response.headers["x-request-id"])]

    assert await actors({}) == [("anonymous", None)]
    assert await actors(await world.as_user(world.other)) == [("user", world.other.id)]
    assert await actors(await with_key(save, world.owner, Scope.USERS_READ)) == [("api_key", world.owner.id)]


async def test_somebody_who_signed_in_before_isnt_taken_for_the_next_caller(
    world: World, visitor: httpx2.AsyncClient, events: Any
) -> None:
    await send(visitor, world, "PATCH", f"{POSTS}/{{post_id}}", await world.as_user(world.owner))

    response = await send(visitor, world, "POST", USERS, {})

    assert [row.actor_kind for row in await events(response.headers["x-request-id"])] == ["anonymous"]


@pytest.mark.parametrize("reason", ["password", "account", "deactivated"])
async def test_a_refused_sign_in_is_on_record(
    world: World, visitor: httpx2.AsyncClient, save: Save, events: Any, reason: str
) -> None:
    form = {"username": world.owner.email, "password": PASSWORD}
    if reason == "password":
        form["password"] = "another one"
    if reason == "account":
        form["username"] = "nobody@example.com"
    if reason == "deactivated":
        world.owner.is_active = False
        await save(world.owner)

    response = await visitor.post(f"{AUTH}/token", data=form)

    assert response.status_code == 401
    (told,) = await events(response.headers["x-request-id"])
    assert (told.action, told.entity, told.changes) == ("user.sign_in_refused", "user", {})
    assert told.entity_id == (None if reason == "account" else world.owner.id)
    assert (told.actor_kind, told.actor_id) == ("anonymous", None)


async def test_a_refused_sign_in_survives_its_401(live_app: FastAPI, live_url: URL) -> None:
    async with client_of(live_app, headers={}) as client:
        response = await client.post(f"{AUTH}/token", data={"username": "ada@example.com", "password": "a guess"})

    assert response.status_code == 401
    assert ask(live_url, "SELECT action, request_id FROM audit_events") == [
        ("user.sign_in_refused", response.headers["x-request-id"])
    ]


async def test_a_session_that_a_stolen_token_ended_is_on_record(
    world: World, visitor: httpx2.AsyncClient, connection: AsyncConnection, events: Any
) -> None:
    refresh = {"refresh_token": world.refresh_token}
    await visitor.post(f"{AUTH}/refresh", json=refresh)
    await connection.execute(text("UPDATE refresh_tokens SET spent_at = spent_at - interval '1 minute'"))

    response = await visitor.post(f"{AUTH}/refresh", json=refresh)

    assert response.status_code == 401
    reused, ended = await events(response.headers["x-request-id"])
    assert [(told.action, told.entity_id) for told in (reused, ended)] == [
        ("auth_session.token_reused", world.session.id),
        ("auth_session.updated", world.session.id),
    ]
    assert {told.actor_kind for told in (reused, ended)} == {"anonymous"}, "it may be the owner or a thief"
    assert ended.changes["ended_at"][0] is None


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_events SET action = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events"]
)
async def test_the_log_cannot_be_rewritten_even_by_its_owner(
    shared_database: Database, connection: AsyncConnection, save: Save, statement: str
) -> None:
    await save(UserFactory())
    before = (await contents(connection))["audit_events"]
    owner, user = (
        await connection.execute(
            text("SELECT tableowner, current_user FROM pg_tables WHERE tablename = 'audit_events'")
        )
    ).one()

    with pytest.raises(DBAPIError, match="append-only"):
        async with connection.begin_nested():
            await connection.execute(text(statement))

    assert owner == user
    assert len(before) == 1
    assert (await contents(connection))["audit_events"] == before


# Posts go with their author, and each is on record.


async def test_the_posts_that_go_with_a_user_are_on_record(
    world: World, visitor: httpx2.AsyncClient, events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.repos.posts._BATCH", 2)
    more: list[Post] = [PostFactory(author=world.owner) for _ in range(3)]
    kept = PostFactory(author=world.other)
    await world.save(*more, kept)

    response = await visitor.delete(f"{USERS}/{world.owner.id}", headers=await world.as_user(world.admin))

    told = [(row.action, row.entity_id) for row in await events(response.headers["x-request-id"])]
    assert told[-1] == ("user.deleted", world.owner.id)
    assert sorted(told[:-1]) == sorted(("post.deleted", post.id) for post in (world.post, world.draft, *more))
    assert (await visitor.get(f"{POSTS}/{kept.id}")).status_code == 200


async def test_posts_that_lose_a_co_author_are_on_record(
    world: World, visitor: httpx2.AsyncClient, save: Save, events: Any
) -> None:
    third: User = UserFactory()
    byline = [CoAuthorship(user=world.owner, position=1), CoAuthorship(user=third, position=2)]
    post: Post = PostFactory(author=world.other, co_authorships=byline)
    await save(post)

    response = await visitor.delete(f"{USERS}/{world.owner.id}", headers=await world.as_user(world.owner))

    (told,) = (row for row in await events(response.headers["x-request-id"]) if row.action == "post.updated")
    assert told.entity_id == post.id
    assert told.changes == {"co_authorships": [[str(world.owner.id), str(third.id)], [str(third.id)]]}
    shown = (await visitor.get(f"{POSTS}/{post.id}")).json()["co_authors"]
    assert shown == [{"id": str(third.id), "name": third.name}]


# The command line is on record too.


async def command(monkeypatch: pytest.MonkeyPatch, url: URL, *arguments: str, stdin: str = "") -> int | str | None:
    """Runs `postern …` as its own process would, in a thread: it brings an event loop of its own."""
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setattr("sys.argv", ["postern", *arguments])
    monkeypatch.setattr("sys.stdin", StringIO(stdin))

    def process() -> int | str | None:
        with pytest.raises(SystemExit) as ended:
            run()
        return ended.value.code

    return await to_thread.run_sync(process)


def log_of(url: URL) -> list[tuple[str, str, str | None, dict[str, Any]]]:
    return [
        (kind, action, str(entity_id), changes)
        for kind, action, entity_id, changes in ask(
            url, "SELECT actor_kind, action, entity_id, changes FROM audit_events ORDER BY id"
        )
    ]


def markdown(*authors: str, title: str = "Notes") -> str:
    return f"+++\ntitle = '{title}'\nauthors = {list(authors)}\ndate = 2016-09-29\n+++\nText\n"


async def test_an_import_is_told_as_the_command_and_a_byline_as_a_change_of_its_post(
    live_url: URL, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "notes.md"

    async def imported(text: str) -> list[tuple[str, str, str | None, dict[str, Any]]]:
        known = len(log_of(live_url))
        file.write_text(text)
        assert await command(monkeypatch, live_url, "import", str(tmp_path)) == 0
        return log_of(live_url)[known:]

    created = await imported(markdown("Ada", "Grace", "Mary"))
    again = await imported(markdown("Ada", "Grace", "Mary"))
    turned = await imported(markdown("Ada", "Mary", "Grace"))
    passed_on = await imported(markdown("Mary"))

    ids = {name: str(found) for name, found in ask(live_url, "SELECT name, id FROM users")}
    post = str(ask(live_url, "SELECT id FROM posts")[0][0])
    assert {kind for kind, *_ in created + turned + passed_on} == {"command"}
    assert sorted(row[1] for row in created) == ["post.created", *["user.created"] * 3]
    new = next(changes for _, action, _, changes in created if action == "post.created")
    assert new["author_id"] == [None, ids["Ada"]]
    assert new["co_authorships"] == [[], [ids["Grace"], ids["Mary"]]]
    assert again == []
    turned_to = {"co_authorships": [[ids["Grace"], ids["Mary"]], [ids["Mary"], ids["Grace"]]]}
    assert turned == [("command", "post.updated", post, turned_to)]
    passed = {"author_id": [ids["Ada"], ids["Mary"]], "co_authorships": [[ids["Mary"], ids["Grace"]], []]}
    assert passed_on == [("command", "post.updated", post, passed)]


async def test_a_dry_run_leaves_no_record(live_url: URL, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.md").write_text(markdown("Ada"))

    assert await command(monkeypatch, live_url, "import", str(tmp_path), "--dry-run") == 0

    assert log_of(live_url) == []


async def test_an_administrator_made_by_the_command_line_is_on_record(
    live_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("users", "create-admin", "ada@example.com", "--password-stdin")

    assert await command(monkeypatch, live_url, *arguments, stdin=f"{PASSWORD}\n") == 0

    ((kind, action, entity_id, changes),) = log_of(live_url)
    assert (kind, action) == ("command", "user.created")
    assert entity_id == str(ask(live_url, "SELECT id FROM users")[0][0])
    assert changes["is_admin"] == [None, True]
    assert changes["password_hash"] == [None, "***"]


# Reading the log.


async def all_events(client: httpx2.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = (await client.get(EVENTS, params=query | ({"cursor": cursor} if cursor else {}))).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_the_log_is_read_newest_first_in_pages_without_gaps(
    client: httpx2.AsyncClient, save: Save, connection: AsyncConnection
) -> None:
    for _ in range(3):
        await save(UserFactory(), UserFactory())
    # One transaction's rows have one time, so give some their own.
    await connection.execute(text("ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only"))
    await connection.execute(
        text("UPDATE audit_events SET at = at - interval '1 h' WHERE id IN (SELECT id FROM audit_events LIMIT 2)")
    )
    await client.post(USERS, json={"email": "ada@example.com"})

    everything = await all_events(client, limit=100)
    in_pages = await all_events(client, limit=2)

    assert in_pages == everything
    assert len({event["id"] for event in everything}) == len(everything) == 7
    order = [(event["at"], event["id"]) for event in everything]
    assert order == sorted(order, reverse=True)
    assert everything[0].keys() == {
        "id",
        "at",
        "actor_kind",
        "actor_id",
        "actor_key_id",
        "action",
        "entity",
        "entity_id",
        "request_id",
        "changes",
    }


@pytest.mark.parametrize("field", ["actor_id", "action", "entity", "entity_id", "request_id"])
async def test_the_log_is_filtered_by_each_field(world: World, visitor: httpx2.AsyncClient, field: str) -> None:
    admin = await world.as_user(world.admin)
    await send(visitor, world, "PATCH", f"{POSTS}/{{post_id}}", await world.as_user(world.owner))
    await send(visitor, world, "POST", USERS, await world.as_user(world.other))
    everything = (await visitor.get(EVENTS, params={"limit": 100}, headers=admin)).json()["items"]

    values = {event[field] for event in everything} - {None}
    assert len(values) > 1
    for value in values:
        found = (await visitor.get(EVENTS, params={"limit": 100, field: value}, headers=admin)).json()["items"]
        assert found == [event for event in everything if event[field] == value]


async def test_filters_of_the_log_are_combined_and_none_may_match(client: httpx2.AsyncClient, save: Save) -> None:
    user = UserFactory()
    await save(user)

    both = await all_events(client, entity="user", entity_id=str(user.id))

    assert [event["action"] for event in both] == ["user.created"]
    assert await all_events(client, entity="post", entity_id=str(user.id)) == []
    assert await all_events(client, actor_id=str(uuid4())) == []


@pytest.mark.parametrize(
    "change",
    [insert(User).values(name="Ada"), update(User).values(name="Ada"), delete(User), update(Post).values(title="A")],
    ids=lambda change: str(change).split()[0],
)
async def test_a_bulk_change_that_the_log_would_not_see_is_refused(
    sessions: async_sessionmaker[AsyncSession], save: Save, change: Any
) -> None:
    await save(UserFactory())
    async with sessions() as session:
        with pytest.raises(TypeError, match="escapes the audit log"):
            await session.execute(change)
