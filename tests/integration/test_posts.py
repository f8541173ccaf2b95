"""Posts through HTTP."""

from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from app.db.models import CoAuthorship, Post, User
from app.db.session import Database
from app.schemas.pages import Position
from tests.resources.posts import POSTS, PostFactory
from tests.support.callers import Save
from tests.support.factories import UserFactory
from tests.support.statements import recorded


@pytest.fixture
async def author(save: Save) -> User:
    user: User = UserFactory(name="Ada Lovelace")
    await save(user)
    return user


@pytest.fixture
def statements(shared_database: Database) -> Iterator[list[str]]:
    with recorded(shared_database.write_engine) as statements:
        yield statements


def draft(**values: Any) -> Post:
    post: Post = PostFactory(published_at=None, **values)
    return post


def written_by(author: User, **values: Any) -> dict[str, Any]:
    return {"author_id": str(author.id), "title": "Notes", "body": "Some *text*.", **values}


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


async def test_a_body_arrives_to_the_letter(client: httpx2.AsyncClient, author: User) -> None:
    body = "    code\r\n\ttab \u00e9 \U0001f600 \\u0000 <b>&amp;</b>\n\n"

    created = (await client.post(POSTS, json=written_by(author, body=body))).json()

    assert created["body"] == body
    assert (await client.get(f"{POSTS}/{created['id']}")).json()["body"] == body


async def test_a_title_of_200_characters_arrives_whole(client: httpx2.AsyncClient, author: User) -> None:
    title = "\U0001f600" * 200

    response = await client.post(POSTS, json=written_by(author, title=title))

    assert response.status_code == 201
    assert response.json()["title"] == title


async def test_space_around_a_title_is_dropped(client: httpx2.AsyncClient, author: User) -> None:
    response = await client.post(POSTS, json=written_by(author, title="  Notes \n"))

    assert response.json()["title"] == "Notes"


async def test_a_body_of_a_million_characters_arrives(client: httpx2.AsyncClient, author: User) -> None:
    response = await client.post(POSTS, json=written_by(author, body="\u00e9" * 1_000_000))

    assert response.status_code == 201
    assert len(response.json()["body"]) == 1_000_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "x" * 201),
        ("title", ""),
        ("title", "   "),
        ("title", "two\nlines"),
        ("title", None),
        ("title", 7),
        ("title", "nul \0"),
        ("body", "x" * 1_000_001),
        ("body", "nul \0"),
        ("body", None),
        ("slug", "with space"),
        ("slug", "/leading"),
        ("slug", ""),
        ("slug", "x" * 301),
        ("slug", "nul\0"),
        ("slug", "."),
        ("slug", ".."),
        ("slug", "a/../b"),
        ("slug", "a/."),
        ("slug", "./a"),
        ("author_id", "nobody"),
        ("draft", "perhaps"),
        ("titel", "a typo"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_is_not_valid_is_refused_by_name(
    client: httpx2.AsyncClient, save: Save, method: str, field: str, value: object
) -> None:
    post = PostFactory()
    await save(post)
    path, body = (POSTS, written_by(post.author)) if method == "POST" else (f"{POSTS}/{post.id}", {})

    response = await client.request(method, path, json={**body, field: value})

    assert response.status_code == 422
    assert response.json()["code"] == "validation_failed"
    assert [fault["loc"] for fault in response.json()["errors"]] == [["body", field]]
    assert len((await client.get(POSTS)).json()["items"]) == 1


@pytest.mark.parametrize("slug", ["...", ".hidden", "..a", "a..b", "1843/10/..../notes.md", "v1.", "~ada/+c@-x_\u00e9"])
async def test_a_slug_may_have_dots_that_no_client_resolves(
    client: httpx2.AsyncClient, author: User, slug: str
) -> None:
    response = await client.post(POSTS, json=written_by(author, slug=slug))

    assert response.status_code == 201
    assert response.json()["slug"] == slug


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        (
            "slug",
            "a b",
            "A path has letters, digits and . _ ~ @ + - between single slashes, and no part that is . or ..",
        ),
        ("title", "two\nlines", "Text has to be one line, without the character NUL"),
        ("body", "nul \0", "Text can't contain the character NUL"),
    ],
)
async def test_a_fault_is_told_in_words_instead_of_a_pattern(
    client: httpx2.AsyncClient, author: User, field: str, value: str, detail: str
) -> None:
    response = await client.post(POSTS, json=written_by(author, **{field: value}))

    [fault] = response.json()["errors"]
    assert fault == {"loc": ["body", field], "code": "string_pattern_mismatch", "detail": detail}


async def test_an_unknown_author_is_refused(client: httpx2.AsyncClient) -> None:
    response = await client.post(POSTS, json={"author_id": str(uuid4()), "title": "Notes", "body": ""})

    assert response.status_code == 422
    assert response.json()["code"] == "author_unknown"


async def test_a_slug_is_unique(client: httpx2.AsyncClient, author: User) -> None:
    await client.post(POSTS, json=written_by(author, slug="notes"))

    response = await client.post(POSTS, json=written_by(author, slug="notes"))

    assert response.status_code == 409
    assert response.json()["code"] == "slug_taken"


async def test_a_slug_cannot_be_changed_to_one_that_is_taken(client: httpx2.AsyncClient, save: Save) -> None:
    post, other = PostFactory(), PostFactory()
    await save(post, other)

    response = await client.patch(f"{POSTS}/{post.id}", json={"slug": other.slug, "title": "Changed"})

    assert response.status_code == 409
    unchanged = (await client.get(f"{POSTS}/{post.id}")).json()
    assert (unchanged["slug"], unchanged["title"]) == (post.slug, post.title)


async def test_many_posts_can_do_without_a_slug(client: httpx2.AsyncClient, author: User) -> None:
    responses = [await client.post(POSTS, json=written_by(author)) for _ in range(2)]

    assert [response.status_code for response in responses] == [201, 201]
    assert [response.json()["slug"] for response in responses] == [None, None]


async def test_a_change_touches_only_the_fields_that_are_sent(client: httpx2.AsyncClient, save: Save) -> None:
    post = PostFactory()
    await save(post)
    before = (await client.get(f"{POSTS}/{post.id}")).json()

    response = await client.patch(f"{POSTS}/{post.id}", json={"title": "Changed"})

    assert response.status_code == 200
    assert response.json() == before | {"title": "Changed", "updated_at": response.json()["updated_at"]}
    assert (await client.get(f"{POSTS}/{post.id}")).json() == response.json()


async def test_a_slug_can_be_taken_away(client: httpx2.AsyncClient, save: Save) -> None:
    post = PostFactory()
    await save(post)

    response = await client.patch(f"{POSTS}/{post.id}", json={"slug": None})

    assert response.json()["slug"] is None


async def test_a_change_shows_the_co_authors_in_order(client: httpx2.AsyncClient, save: Save) -> None:
    first, second = UserFactory(name="Second on the byline"), UserFactory(name="Third on the byline")
    post = PostFactory(co_authorships=[CoAuthorship(user=second, position=2), CoAuthorship(user=first, position=1)])
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
    post = PostFactory(published_at=datetime(2020, 1, 1, tzinfo=UTC))
    await save(post)
    before = datetime.now(UTC)

    withdrawn = await client.patch(f"{POSTS}/{post.id}", json={"draft": True})
    published = await client.patch(f"{POSTS}/{post.id}", json={"draft": False})

    assert withdrawn.json()["published_at"] is None
    assert datetime.fromisoformat(published.json()["published_at"]) >= before
    contract = (await client.get("/openapi.json")).json()["components"]["schemas"]["PostUpdate"]["properties"]
    assert "published before" in contract["draft"]["description"]


async def test_publishing_twice_keeps_the_first_date(client: httpx2.AsyncClient, save: Save) -> None:
    post = PostFactory()
    await save(post)
    published_at = (await client.get(f"{POSTS}/{post.id}")).json()["published_at"]

    response = await client.patch(f"{POSTS}/{post.id}", json={"draft": False})

    assert response.json()["published_at"] == published_at


async def test_a_deleted_post_is_gone(client: httpx2.AsyncClient, save: Save) -> None:
    post = PostFactory(co_authorships=[CoAuthorship(user=UserFactory(), position=1)])
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


async def test_published_posts_are_listed_newest_first(client: httpx2.AsyncClient, save: Save) -> None:
    days = [3, 1, 2]
    for day in days:
        await save(PostFactory(title=f"Day {day}", published_at=datetime(2026, 1, day, tzinfo=UTC)))

    titles = [post["title"] for post in (await client.get(POSTS)).json()["items"]]

    assert titles == ["Day 3", "Day 2", "Day 1"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10, 100])
async def test_the_pages_together_hold_every_post_once(client: httpx2.AsyncClient, save: Save, limit: int) -> None:
    """Three posts a minute, so that equal times meet every page boundary."""
    base = datetime(2026, 1, 1, tzinfo=UTC)
    posts = [PostFactory(published_at=base + timedelta(minutes=number // 3)) for number in range(10)]
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
    posts = [PostFactory() for _ in range(4)]
    await save(*posts)
    first = (await client.get(POSTS, params={"limit": 2})).json()
    await save(PostFactory(published_at=datetime(2030, 1, 1, tzinfo=UTC)))

    second = (await client.get(POSTS, params={"limit": 2, "cursor": first["next_cursor"]})).json()

    listed = [post["id"] for post in first["items"] + second["items"]]
    assert listed == [str(post.id) for post in reversed(posts)]


@pytest.mark.parametrize("status", ["published", "draft"])
async def test_the_posts_of_one_author_can_be_listed(client: httpx2.AsyncClient, save: Save, status: str) -> None:
    author = UserFactory()
    wanted = draft if status == "draft" else PostFactory
    posts = [wanted(author=author) for _ in range(3)]
    await save(*posts, PostFactory(), draft(), (PostFactory if status == "draft" else draft)(author=author))

    pages = await all_pages(client, limit=2, status=status, author_id=str(author.id))

    assert Counter(post_id for page in pages for post_id in page) == Counter(str(post.id) for post in posts)


async def test_an_author_who_is_not_there_has_no_posts(client: httpx2.AsyncClient) -> None:
    response = await client.get(POSTS, params={"author_id": str(uuid4())})

    assert response.status_code == 200
    assert response.json() == {"items": [], "next_cursor": None}


async def test_a_list_holds_twenty_posts_when_nothing_else_is_asked_for(client: httpx2.AsyncClient, save: Save) -> None:
    await save(*(PostFactory() for _ in range(21)))

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
    await save(PostFactory())

    for moment in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        cursor = Position(moment, UUID(int=0)).encode()
        assert (await client.get(POSTS, params={"cursor": cursor})).status_code == 200


@pytest.mark.parametrize("posts", [1, 10, 60])
async def test_a_list_with_all_its_authors_is_one_statement(
    client: httpx2.AsyncClient, save: Save, statements: list[str], posts: int
) -> None:
    await save(*(PostFactory(co_authorships=[CoAuthorship(user=UserFactory(), position=1)]) for _ in range(posts)))
    statements.clear()

    items = (await client.get(POSTS, params={"limit": 100})).json()["items"]

    assert len(items) == posts
    assert all(post["author"]["name"] and post["co_authors"][0]["name"] for post in items)
    assert len(statements) == 1


async def test_reading_a_post_is_one_statement(client: httpx2.AsyncClient, save: Save, statements: list[str]) -> None:
    post = PostFactory(co_authorships=[CoAuthorship(user=UserFactory(), position=1)])
    await save(post)
    statements.clear()

    await client.get(f"{POSTS}/{post.id}")

    assert len(statements) == 1


async def test_creating_a_post_is_three_statements(
    client: httpx2.AsyncClient, author: User, statements: list[str]
) -> None:
    statements.clear()

    await client.post(POSTS, json=written_by(author))

    assert [statement.split()[0] for statement in statements] == ["SELECT", "INSERT", "INSERT"]


@pytest.mark.parametrize("co_authors", [0, 1, 5])
async def test_changing_a_post_takes_the_same_statements_for_any_number_of_co_authors(
    client: httpx2.AsyncClient, save: Save, statements: list[str], co_authors: int
) -> None:
    byline = [CoAuthorship(user=UserFactory(), position=position) for position in range(1, co_authors + 1)]
    post = PostFactory(co_authorships=byline)
    await save(post)
    statements.clear()

    await client.patch(f"{POSTS}/{post.id}", json={"title": "Changed"})

    assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT", "UPDATE", "INSERT"]
