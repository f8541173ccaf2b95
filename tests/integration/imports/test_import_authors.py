"""Whose an imported post is."""

from pathlib import Path

from sqlalchemy.engine import URL

from tests.integration.imports.files import Run, Served, front_matter
from tests.support.database import ask


def test_two_authors_stand_in_the_order_of_the_byline(folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "first.md", "title: First", "authors: [Zoe, Ada, Bob, Zoe]")
    run()
    front_matter(folder, "second.md", "title: Second", "authors: [Bob, Zoe]")
    run()

    first, second = posts()["first"], posts()["second"]
    assert [first["author"]["name"], *(user["name"] for user in first["co_authors"])] == ["Zoe", "Ada", "Bob"]
    assert [second["author"]["name"], *(user["name"] for user in second["co_authors"])] == ["Bob", "Zoe"]


def test_a_changed_byline_is_an_update(folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "first.md", "title: First", "authors: [Ada, Bob, Cyd]", "date: 2026-01-01")
    run()
    front_matter(folder, "first.md", "title: First", "authors: [Ada, Cyd, Dan]", "date: 2026-01-01")

    assert run()[1] == ["0 created, 1 updated, 0 unchanged, 0 skipped"]

    assert [user["name"] for user in posts()["first"]["co_authors"]] == ["Cyd", "Dan"]


def test_an_author_without_an_account_is_a_name(database: URL, folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "1.md", "title: '1'", "author: Ada")
    front_matter(folder, "2.md", "title: '2'", "authors:", "  - name: Ada", "    email: ada@example.com")
    run()
    front_matter(folder, "3.md", "title: '3'", "authors:", "  - name: Ada")
    run()

    authors = {post["author"]["id"] for post in posts().values()}
    assert len(authors) == 1
    assert ask(database, "SELECT name, email FROM users") == [("Ada", None)]


def test_an_account_gets_posts_when_its_address_is_confirmed(
    database: URL, folder: Path, run: Run, posts: Served
) -> None:
    """Whoever registered an author's address without confirming it may be anybody, and posts include drafts."""
    statement = (
        "INSERT INTO users (id, email, name) VALUES (gen_random_uuid(), 'Ada@Example.com', 'Mallory') RETURNING id"
    )
    [(account,)] = ask(database, statement)
    lines = ("title: First", "date: 2026-01-01", "author: {name: Ada, email: ada@example.COM}")
    front_matter(folder, "first.md", *lines)

    assert run()[1][-1] == "1 created, 0 updated, 0 unchanged, 0 skipped"
    assert posts()["first"]["author"]["name"] == "Ada"
    assert run()[1][-1] == "0 created, 0 updated, 1 unchanged, 0 skipped"

    ask(database, "UPDATE users SET email_verified_at = now()")
    assert run()[1][-1] == "0 created, 1 updated, 0 unchanged, 0 skipped"
    assert posts()["first"]["author"]["id"] == str(account)


def test_posts_without_an_author_can_be_given_one(folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "first.md", "title: First")
    front_matter(folder, "second.md", "title: Second", "author: Bob")

    assert run("--author", "Ada")[0] == 0

    assert {slug: post["author"]["name"] for slug, post in posts().items()} == {"first": "Ada", "second": "Bob"}
