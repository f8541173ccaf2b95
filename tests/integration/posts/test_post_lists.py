"""Lists of posts, and their pages."""

from base64 import urlsafe_b64encode
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from app.schemas.pages import Position
from tests.resources.posts import POSTS, draft, new_post
from tests.support.callers import Save
from tests.support.users import new_user


async def all_pages(client: httpx2.AsyncClient, **query: Any) -> list[list[str]]:
    """The ids on every page of the list, from the first page to the last."""
    pages: list[list[str]] = []
    cursor: str | None = None
    while cursor or not pages:
        response = await client.get(POSTS, params=query | ({"cursor": cursor} if cursor else {}))
        assert response.status_code == 200
        pages.append([post["id"] for post in response.json()["items"]])
        assert len(pages) <= 20, "the pages never end"
        cursor = response.json()["next_cursor"]
    return pages


async def test_published_posts_are_listed_newest_first(client: httpx2.AsyncClient, save: Save) -> None:
    days = [3, 1, 2]
    for day in days:
        await save(new_post(title=f"Day {day}", published_at=datetime(2026, 1, day, tzinfo=UTC)))

    titles = [post["title"] for post in (await client.get(POSTS)).json()["items"]]

    assert titles == ["Day 3", "Day 2", "Day 1"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10, 100])
async def test_the_pages_together_hold_every_post_once(client: httpx2.AsyncClient, save: Save, limit: int) -> None:
    """Three posts a minute, so that equal times meet every page boundary."""
    base = datetime(2026, 1, 1, tzinfo=UTC)
    posts = [new_post(published_at=base + timedelta(minutes=number // 3)) for number in range(10)]
    await save(*posts)

    pages = await all_pages(client, limit=limit)

    expected = sorted(posts, key=lambda post: (post.published_at, post.id), reverse=True)
    assert [post_id for page in pages for post_id in page] == [str(post.id) for post in expected]
    assert [len(page) for page in pages] == [limit] * (10 // limit) + ([10 % limit] if 10 % limit else [])


async def test_drafts_of_one_moment_are_paged_without_gap_or_repetition(client: httpx2.AsyncClient, save: Save) -> None:
    posts = [draft() for _ in range(5)]
    await save(*posts)  # in one transaction, and so created at one time

    pages = await all_pages(client, limit=2, status="draft")

    assert [post_id for page in pages for post_id in page] == sorted((str(post.id) for post in posts), reverse=True)


async def test_a_post_published_meanwhile_moves_no_other_to_another_page(
    client: httpx2.AsyncClient, save: Save
) -> None:
    posts = [new_post() for _ in range(4)]
    await save(*posts)
    first = (await client.get(POSTS, params={"limit": 2})).json()
    await save(new_post(published_at=datetime(2030, 1, 1, tzinfo=UTC)))

    second = (await client.get(POSTS, params={"limit": 2, "cursor": first["next_cursor"]})).json()

    listed = [post["id"] for post in first["items"] + second["items"]]
    assert listed == [str(post.id) for post in reversed(posts)]


@pytest.mark.parametrize("status", ["published", "draft"])
async def test_the_posts_of_one_author_can_be_listed(client: httpx2.AsyncClient, save: Save, status: str) -> None:
    author = new_user()
    wanted = draft if status == "draft" else new_post
    posts = [wanted(author=author) for _ in range(3)]
    await save(*posts, new_post(), draft(), (new_post if status == "draft" else draft)(author=author))

    pages = await all_pages(client, limit=2, status=status, author_id=str(author.id))

    assert Counter(post_id for page in pages for post_id in page) == Counter(str(post.id) for post in posts)


async def test_an_author_who_is_not_there_has_no_posts(client: httpx2.AsyncClient) -> None:
    response = await client.get(POSTS, params={"author_id": str(uuid4())})

    assert response.status_code == 200
    assert response.json() == {"items": [], "next_cursor": None}


async def test_a_list_holds_twenty_posts_when_nothing_else_is_asked_for(client: httpx2.AsyncClient, save: Save) -> None:
    await save(*(new_post() for _ in range(21)))

    page = (await client.get(POSTS)).json()

    assert len(page["items"]) == 20
    assert page["next_cursor"] is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "-1"),
        ("limit", "abc"),
        ("limit", "1e1"),
        ("status", "all"),
        ("author_id", "me"),
        ("offset", "20"),
    ],
)
async def test_a_list_query_that_is_not_valid_is_refused_by_name(
    client: httpx2.AsyncClient, name: str, value: str
) -> None:
    response = await client.get(POSTS, params={name: value})

    assert response.status_code == 422
    assert [fault["loc"] for fault in response.json()["errors"]] == [["query", name]]


def broken_cursors() -> list[str]:
    """Cursors that were never given out: foreign, cut, padded, out of range, or one letter off."""
    real = Position(datetime(2026, 1, 1, tzinfo=UTC), UUID(int=7)).encode()
    too_late = urlsafe_b64encode(b"\x7f" * 24).decode()
    too_early = urlsafe_b64encode(b"\x80" + b"\0" * 23).decode()
    foreign = [" ", "null", "\0", "MTIz", "\u00e9", too_late, too_early, real[:-1], f"{real}A", f"{real}=", f" {real}"]
    changed = [real[:place] + letter + real[place + 1 :] for place in range(len(real)) for letter in "+/=!\u00df\n "]
    return foreign + changed


async def test_a_broken_cursor_is_refused(client: httpx2.AsyncClient) -> None:
    for cursor in broken_cursors():
        response = await client.get(POSTS, params={"cursor": cursor})

        assert response.status_code == 422, cursor
        assert [fault["loc"] for fault in response.json()["errors"]] == [["query", "cursor"]]


async def test_a_cursor_at_either_end_of_time_is_answered(client: httpx2.AsyncClient, save: Save) -> None:
    await save(new_post())

    for moment in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        cursor = Position(moment, UUID(int=0)).encode()
        assert (await client.get(POSTS, params={"cursor": cursor})).status_code == 200
