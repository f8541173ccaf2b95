"""How many statements a request about posts takes, whatever their number."""

from collections.abc import Iterator

import httpx2
import pytest

from app.db.models.co_authorship import CoAuthorship
from app.db.models.user import User
from app.db.session import Database
from tests.resources.posts import POSTS, new_post, written_by
from tests.support.callers import Save
from tests.support.statements import recorded
from tests.support.users import new_user


@pytest.fixture
def statements(shared_database: Database) -> Iterator[list[str]]:
    with recorded(shared_database.write_engine) as statements:
        yield statements


@pytest.mark.parametrize("posts", [1, 10, 60])
async def test_a_list_with_all_its_authors_is_one_statement(
    client: httpx2.AsyncClient, save: Save, statements: list[str], posts: int
) -> None:
    await save(*(new_post(co_authorships=[CoAuthorship(user=new_user(), position=1)]) for _ in range(posts)))
    statements.clear()

    items = (await client.get(POSTS, params={"limit": 100})).json()["items"]

    assert len(items) == posts
    assert all(post["author"]["name"] and post["co_authors"][0]["name"] for post in items)
    assert len(statements) == 1


async def test_reading_a_post_is_one_statement(client: httpx2.AsyncClient, save: Save, statements: list[str]) -> None:
    post = new_post(co_authorships=[CoAuthorship(user=new_user(), position=1)])
    await save(post)
    statements.clear()

    await client.get(f"{POSTS}/{post.id}")

    assert len(statements) == 1


async def test_creating_a_post_is_one_statement(
    client: httpx2.AsyncClient, author: User, statements: list[str]
) -> None:
    statements.clear()

    await client.post(POSTS, json=written_by(author))

    assert [statement.split()[0] for statement in statements] == ["WITH"]


@pytest.mark.parametrize("co_authors", [0, 1, 5])
async def test_changing_a_post_takes_the_same_statements_for_any_number_of_co_authors(
    client: httpx2.AsyncClient, save: Save, statements: list[str], co_authors: int
) -> None:
    byline = [CoAuthorship(user=new_user(), position=position) for position in range(1, co_authors + 1)]
    post = new_post(co_authorships=byline)
    await save(post)
    statements.clear()

    await client.patch(f"{POSTS}/{post.id}", json={"title": "Changed"})

    assert [statement.split()[0] for statement in statements] == ["SELECT", "WITH"]
