"""Which users are shown to callers who aren't signed in."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.models.co_authorship import CoAuthorship
from app.db.models.user import User
from app.db.session import Database
from tests.resources.posts import POSTS, draft, new_post
from tests.support.accounts import USERS, configure, told
from tests.support.answers import assert_problem
from tests.support.callers import Callers, Save
from tests.support.plans import Query, cost, queries
from tests.support.statements import recorded
from tests.support.users import new_user

LIMIT = 10
# One of a hundred has published something, twice; everybody has drafts.
MANY = (
    "INSERT INTO users (id, name) SELECT lpad(to_hex(n), 32, '0')::uuid, 'User ' || n FROM generate_series(1, 5000) n",
    "INSERT INTO posts (id, author_id, title, body, published_at) "
    "SELECT gen_random_uuid(), lpad(to_hex(n), 32, '0')::uuid, '', '', CASE WHEN n % 100 = 0 AND m < 3 THEN now() END "
    "FROM generate_series(1, 5000) n, generate_series(1, 3) m",
    "ANALYZE users, posts, co_authorships",
    # Few users are read fastest as a whole; of many only a page may be read.
    "SET LOCAL enable_hashjoin = off",
    "SET LOCAL enable_mergejoin = off",
    "SET LOCAL enable_bitmapscan = off",
)


@pytest.fixture
def reads(shared_database: Database) -> Iterator[list[Query]]:
    with queries(shared_database.write_engine) as seen:
        yield seen


@pytest.fixture
def statements(shared_database: Database) -> Iterator[list[str]]:
    with recorded(shared_database.write_engine) as statements:
        yield statements


async def ids(client: httpx2.AsyncClient, headers: dict[str, str] | None = None) -> set[str]:
    """Who is in the list."""
    return {user["id"] for user in (await client.get(USERS, headers=headers)).json()["items"]}


async def store_some(save: Save) -> tuple[User, User, User]:
    """Somebody with a published post, somebody with a draft, somebody without a post."""
    author, with_draft, nobody = new_user(), new_user(), new_user()
    await save(new_post(author=author), draft(author=author), draft(author=with_draft), nobody)
    return author, with_draft, nobody


async def test_a_stranger_sees_users_with_a_published_post_alone(visitor: httpx2.AsyncClient, save: Save) -> None:
    author, with_draft, nobody = await store_some(save)
    unknown = await visitor.get(f"{USERS}/{uuid4()}")

    assert await ids(visitor) == {str(author.id)}
    assert (await visitor.get(f"{USERS}/{author.id}")).json() == {"id": str(author.id), "name": author.name}
    for user in (with_draft, nobody):
        hidden = await visitor.get(f"{USERS}/{user.id}")
        assert_problem(hidden, 404, "user_not_found")
        assert told(hidden) == told(unknown)


async def test_an_author_whose_only_post_is_withdrawn_is_not_shown_any_more(
    client: httpx2.AsyncClient, visitor: httpx2.AsyncClient, save: Save
) -> None:
    post = new_post()
    await save(post)
    assert await ids(visitor) == {str(post.author.id)}

    await client.patch(f"{POSTS}/{post.id}", json={"draft": True})

    assert await ids(visitor) == set()
    assert (await visitor.get(f"{USERS}/{post.author.id}")).status_code == 404


@pytest.mark.parametrize(("post", "status"), [(new_post, 200), (draft, 404)])
async def test_a_co_author_can_be_read_when_the_post_is_published(
    visitor: httpx2.AsyncClient, save: Save, post: Any, status: int
) -> None:
    second = new_user()
    await save(post(co_authorships=[CoAuthorship(user=second, position=1)]))

    assert (await visitor.get(f"{USERS}/{second.id}")).status_code == status


async def test_whoever_signed_in_sees_everybody(visitor: httpx2.AsyncClient, callers: Callers, save: Save) -> None:
    users = await store_some(save)
    caller = new_user()
    headers = await callers.signed_in(caller)

    assert await ids(visitor, headers) == {str(user.id) for user in (*users, caller)}
    for user in users:
        assert (await visitor.get(f"{USERS}/{user.id}", headers=headers)).status_code == 200


async def test_everybody_can_be_shown(app: FastAPI, visitor: httpx2.AsyncClient, save: Save) -> None:
    configure(app, public_users="everybody")
    users = await store_some(save)

    assert await ids(visitor) == {str(user.id) for user in users}
    for user in users:
        assert (await visitor.get(f"{USERS}/{user.id}")).json() == {"id": str(user.id), "name": user.name}


async def test_nobody_can_be_shown(app: FastAPI, visitor: httpx2.AsyncClient, save: Save) -> None:
    configure(app, public_users="nobody")
    author, *_ = await store_some(save)

    for path in (USERS, f"{USERS}/{author.id}", f"{USERS}/{uuid4()}"):
        assert_problem(await visitor.get(path), 401, "not_authenticated")


async def test_a_strangers_pages_have_each_author_once_and_cost_the_same_at_any_depth(
    visitor: httpx2.AsyncClient, connection: AsyncConnection, reads: list[Query]
) -> None:
    for statement in MANY:
        await connection.execute(text(statement))
    reads.clear()
    names: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(5):
        page = (await visitor.get(USERS, params={"limit": LIMIT, **cursor})).json()
        names += [user["name"] for user in page["items"]]
        cursor = {"cursor": page["next_cursor"]}

    assert names == [f"User {number}" for number in range(5000, 0, -100)]
    assert page["next_cursor"] is None
    first, *_, deep, _ = reads
    assert len(reads) == 5
    for table in ("posts", "users"):
        assert await cost(connection, first, table) == await cost(connection, deep, table) == LIMIT + 1


async def test_showing_an_author_to_a_stranger_takes_one_statement(
    visitor: httpx2.AsyncClient, save: Save, statements: list[str]
) -> None:
    author, *_ = await store_some(save)
    statements.clear()

    await visitor.get(f"{USERS}/{author.id}")

    assert len(statements) == 1
