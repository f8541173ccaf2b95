"""Posts through HTTP."""

from datetime import UTC, datetime
from uuid import uuid4

import httpx2
import pytest

from app.db.models.co_authorship import CoAuthorship
from app.db.models.user import User
from tests.resources.posts import POSTS, draft, new_post, written_by
from tests.support.callers import Save
from tests.support.users import new_user


async def test_a_post_is_published_when_it_is_created(client: httpx2.AsyncClient, author: User) -> None:
    response = await client.post(POSTS, json=written_by(author, slug="1843/notes"))

    assert response.status_code == 201
    post = response.json()
    assert post["title"] == "Notes"
    assert post["body"] == "Some *text*."
    assert post["slug"] == "1843/notes"
    assert post["author"] == {"id": str(author.id), "name": "Ada Lovelace"}
    assert post["co_authors"] == []
    assert post["published_at"] is not None


async def test_a_created_post_reads_the_same(client: httpx2.AsyncClient, author: User) -> None:
    created = (await client.post(POSTS, json=written_by(author))).json()

    response = await client.get(f"{POSTS}/{created['id']}")

    assert response.status_code == 200
    assert response.json() == created


async def test_a_list_shows_posts_without_their_bodies(client: httpx2.AsyncClient, author: User) -> None:
    created = (await client.post(POSTS, json=written_by(author))).json()

    [listed] = (await client.get(POSTS)).json()["items"]

    assert listed == {key: value for key, value in created.items() if key != "body"}


async def test_a_change_touches_only_the_fields_that_are_sent(client: httpx2.AsyncClient, save: Save) -> None:
    post = new_post()
    await save(post)
    before = (await client.get(f"{POSTS}/{post.id}")).json()

    response = await client.patch(f"{POSTS}/{post.id}", json={"title": "Changed"})

    assert response.status_code == 200
    assert response.json() == before | {"title": "Changed", "updated_at": response.json()["updated_at"]}
    assert (await client.get(f"{POSTS}/{post.id}")).json() == response.json()


async def test_a_slug_can_be_taken_away(client: httpx2.AsyncClient, save: Save) -> None:
    post = new_post()
    await save(post)

    response = await client.patch(f"{POSTS}/{post.id}", json={"slug": None})

    assert response.json()["slug"] is None


async def test_a_change_shows_the_co_authors_in_order(client: httpx2.AsyncClient, save: Save) -> None:
    first, second = new_user(name="Second on the byline"), new_user(name="Third on the byline")
    post = new_post(co_authorships=[CoAuthorship(user=second, position=2), CoAuthorship(user=first, position=1)])
    await save(post)

    response = await client.patch(f"{POSTS}/{post.id}", json={"title": "Changed"})

    assert [user["name"] for user in response.json()["co_authors"]] == [first.name, second.name]


async def test_a_draft_has_no_date_and_is_not_in_the_list(client: httpx2.AsyncClient, author: User) -> None:
    created = (await client.post(POSTS, json=written_by(author, draft=True))).json()

    assert created["published_at"] is None
    assert (await client.get(POSTS)).json()["items"] == []
    assert [post["id"] for post in (await client.get(POSTS, params={"status": "draft"})).json()["items"]] == [
        created["id"]
    ]


async def test_publishing_a_draft_puts_it_in_the_list(client: httpx2.AsyncClient, save: Save) -> None:
    post = draft()
    await save(post)

    response = await client.patch(f"{POSTS}/{post.id}", json={"draft": False})

    assert response.json()["published_at"] is not None
    assert [each["id"] for each in (await client.get(POSTS)).json()["items"]] == [str(post.id)]


async def test_publishing_again_after_a_withdrawal_sets_the_date_anew(client: httpx2.AsyncClient, save: Save) -> None:
    post = new_post(published_at=datetime(2020, 1, 1, tzinfo=UTC))
    await save(post)
    before = datetime.now(UTC)

    withdrawn = await client.patch(f"{POSTS}/{post.id}", json={"draft": True})
    published = await client.patch(f"{POSTS}/{post.id}", json={"draft": False})

    assert withdrawn.json()["published_at"] is None
    assert datetime.fromisoformat(published.json()["published_at"]) >= before
    contract = (await client.get("/openapi.json")).json()["components"]["schemas"]["PostUpdate"]["properties"]
    assert "published before" in contract["draft"]["description"]


async def test_publishing_twice_keeps_the_first_date(client: httpx2.AsyncClient, save: Save) -> None:
    post = new_post()
    await save(post)
    published_at = (await client.get(f"{POSTS}/{post.id}")).json()["published_at"]

    response = await client.patch(f"{POSTS}/{post.id}", json={"draft": False})

    assert response.json()["published_at"] == published_at


async def test_a_deleted_post_is_gone(client: httpx2.AsyncClient, save: Save) -> None:
    post = new_post(co_authorships=[CoAuthorship(user=new_user(), position=1)])
    await save(post)

    response = await client.delete(f"{POSTS}/{post.id}")

    assert response.status_code == 204
    assert response.content == b""
    assert (await client.get(f"{POSTS}/{post.id}")).status_code == 404
    assert (await client.get(f"/api/v1/users/{post.author.id}")).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_post_that_is_not_there_is_a_404(client: httpx2.AsyncClient, method: str) -> None:
    response = await client.request(method, f"{POSTS}/{uuid4()}", json={} if method == "PATCH" else None)

    assert response.status_code == 404
    assert response.json()["code"] == "post_not_found"
