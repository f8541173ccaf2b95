"""Whose an imported post is."""

from pathlib import Path

from tests.integration.imports.files import Run, Served, front_matter


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


def test_an_author_is_made_once(folder: Path, run: Run, posts: Served) -> None:
    """By name without an address, and by address, in any case of its letters, with one."""
    front_matter(folder, "1.md", "title: 1", "author: Ada")
    front_matter(folder, "2.md", "title: 2", "authors:", "  - name: Ada")
    front_matter(folder, "3.md", "title: '3'", "authors:", "  - name: Bob", "    email: bob@example.com")
    run()
    front_matter(folder, "4.md", "title: '4'", "author: Ada")
    front_matter(folder, "5.md", "title: '5'", "authors:", "  - name: Bobby", "    email: BOB@example.com")
    front_matter(folder, "1.md", "title: '1'", "author: Ada")
    front_matter(folder, "2.md", "title: '2'", "authors:", "  - name: Ada")
    run()

    author = {slug: post["author"]["id"] for slug, post in posts().items()}
    assert author.keys() == {"1", "2", "3", "4", "5"}
    assert author["1"] == author["2"] == author["4"]
    assert author["3"] == author["5"]
    assert author["1"] != author["3"]


def test_posts_without_an_author_can_be_given_one(folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "first.md", "title: First")
    front_matter(folder, "second.md", "title: Second", "author: Bob")

    assert run("--author", "Ada")[0] == 0

    assert {slug: post["author"]["name"] for slug, post in posts().items()} == {"first": "Ada", "second": "Bob"}
