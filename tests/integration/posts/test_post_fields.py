"""What a post's fields take, and what they refuse."""

from uuid import uuid4

import httpx2
import pytest

from app.db.models.user import User
from tests.resources.posts import POSTS, new_post, written_by
from tests.support.answers import assert_problem
from tests.support.callers import Save


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
        ("draft", 1),
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
    post = new_post()
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
    post, other = new_post(), new_post()
    await save(post, other)

    response = await client.patch(f"{POSTS}/{post.id}", json={"slug": other.slug, "title": "Changed"})

    assert response.status_code == 409
    unchanged = (await client.get(f"{POSTS}/{post.id}")).json()
    assert (unchanged["slug"], unchanged["title"]) == (post.slug, post.title)


async def test_many_posts_can_do_without_a_slug(client: httpx2.AsyncClient, author: User) -> None:
    responses = [await client.post(POSTS, json=written_by(author)) for _ in range(2)]

    assert [response.status_code for response in responses] == [201, 201]
    assert [response.json()["slug"] for response in responses] == [None, None]


@pytest.mark.parametrize("text", ["nul \\u0000", "half a pair \\ud800", "\\udfff"])
@pytest.mark.parametrize("field", ["title", "body", "slug"])
async def test_text_that_cannot_be_stored_is_a_422(client: httpx2.AsyncClient, field: str, text: str) -> None:
    values = {"title": '"t"', "body": '"b"', field: f'"{text}"'}
    content = "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"

    response = await client.post(POSTS, content=content, headers={"Content-Type": "application/json"})

    assert_problem(response, 422, "validation_failed")
    assert [fault["loc"] for fault in response.json()["errors"]] == [["body", field]]
