"""When an imported post was published, or that it is a draft."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.conftest import DRIVERS
from tests.integration.imports.files import Run, Served, front_matter
from tests.support.application import client_of, running


@pytest.mark.parametrize(
    ("place", "lines", "date"),
    [
        ("first.md", ["date: 2016-09-29"], "2016-09-29T00:00:00Z"),
        ("first.md", ["date: 2016-09-29T10:00:00+02:00"], "2016-09-29T08:00:00Z"),
        ("first.md", ["date: 2016-09-29 10:00:00 +0200"], "2016-09-29T08:00:00Z"),
        ("first.md", ["date: '2016-09-29 10:00:00 +0200'"], "2016-09-29T08:00:00Z"),
        ("first.md", ["date: '2016-09-29 10:00:00'"], "2016-09-29T10:00:00Z"),
        ("first.md", ["published_at: 2016-09-29"], "2016-09-29T00:00:00Z"),
        ("first.md", ["path: 2016/09/29/first"], "2016-09-29T00:00:00Z"),
        ("2016/09/29/first.md", [], "2016-09-29T00:00:00Z"),
        ("_posts/2016-09-29-first.md", [], "2016-09-29T00:00:00Z"),
        ("_posts/2016-09-29-first.md", ["slug: other"], "2016-09-29T00:00:00Z"),
        ("2016/09/29/first.md", ["date: 2017-01-01"], "2017-01-01T00:00:00Z"),
    ],
)
def test_a_post_has_the_date_of_its_front_matter_or_of_its_path(
    folder: Path, run: Run, posts: Served, place: str, lines: list[str], date: str
) -> None:
    front_matter(folder, place, "title: First", "author: Ada", *lines)

    assert run() == (0, ["1 created, 0 updated, 0 unchanged, 0 skipped"])

    [post] = posts().values()
    assert post["published_at"] == date


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00Z", "0001-01-01", "'0001-01-01 00:00:00 +0000'"])
def test_the_zero_time_of_go_is_no_date(folder: Path, run: Run, posts: Served, date: str) -> None:
    front_matter(folder, "2016/09/29/first.md", "title: First", "author: Ada", f"date: {date}")
    front_matter(folder, "0001/01/01/second.md", "title: Second", "author: Ada", f"date: {date}")
    front_matter(folder, "third.md", "title: Third", "author: Ada", f"date: {date}")

    assert run() == (
        0,
        [
            "2 without a date: published at the time of their first import",
            "3 created, 0 updated, 0 unchanged, 0 skipped",
        ],
    )
    assert run()[1][-1] == "0 created, 0 updated, 3 unchanged, 0 skipped"
    assert posts()["2016/09/29/first"]["published_at"] == "2016-09-29T00:00:00Z"


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_oldest_and_the_latest_date_are_served_and_recognised_again(
    database: URL, folder: Path, run: Run, driver: str
) -> None:
    """Beyond them are dates that one of the drivers takes for infinities."""

    async def pages(url: URL) -> list[str]:
        async with running(url) as api, client_of(api) as client:
            first = (await client.get("/api/v1/posts", params={"limit": "1"})).json()
            last = (await client.get("/api/v1/posts", params={"limit": "1", "cursor": first["next_cursor"]})).json()
            return [item["published_at"] for page in (first, last) for item in page["items"]]

    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 1000-01-01T00:00:00Z")
    front_matter(folder, "2.md", "title: Two", "author: Ada", "date: 9998-12-31T23:59:59.999999Z")
    url = database.set(drivername=f"postgresql+{driver}")
    assert run(url=url)[0] == 0

    assert run(url=url)[1][-1] == "0 created, 0 updated, 2 unchanged, 0 skipped"

    assert asyncio.run(pages(url)) == ["9998-12-31T23:59:59.999999Z", "1000-01-01T00:00:00Z"]


def test_digits_in_a_path_that_are_no_date_are_just_digits(folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "2016/99/99/first.md", "title: First", "author: Ada")

    code, report = run()

    assert code == 0
    assert report[0] == "1 without a date: published at the time of their first import"
    assert list(posts()) == ["2016/99/99/first"]


def test_a_post_without_a_date_keeps_that_of_its_first_import(folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "first.md", "title: First", "author: Ada")
    run()
    before = posts()["first"]["published_at"]
    front_matter(folder, "first.md", "title: Changed", "author: Ada")

    assert run()[1][-1] == "0 created, 1 updated, 0 unchanged, 0 skipped"

    assert before is not None
    assert posts()["first"]["published_at"] == before


def test_a_draft_is_not_published(folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "first.md", "title: First", "author: Ada", "draft: true", "date: 2016-09-29")

    assert run()[0] == 0

    assert posts() == {}
    assert posts(status="draft")["first"]["published_at"] is None


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("first.md", "published: false"),
        ("_drafts/first.md", "layout: post"),
        ("blog/_drafts/notes/first.md", "draft: false"),
        ("_drafts/first.md", "published: true"),
    ],
)
def test_what_jekyll_would_not_publish_is_a_draft(folder: Path, run: Run, posts: Served, place: str, line: str) -> None:
    front_matter(folder, place, "title: First", "author: Ada", "date: 2016-09-29", line)

    assert run()[0] == 0
    assert posts() == {}
    assert [post["published_at"] for post in posts(status="draft").values()] == [None]

    assert run(path=(folder / place).parent)[0] == 0
    assert posts() == {}


def test_json_lines_may_be_unpublished_too(tmp_path: Path, run: Run, posts: Served) -> None:
    file = tmp_path / "posts.JSONL"
    file.write_text(json.dumps({"title": "One", "author": "Ada", "path": "one", "body": "1", "published": False}))

    assert run(path=file) == (0, ["1 created, 0 updated, 0 unchanged, 0 skipped"])

    assert list(posts(status="draft")) == ["one"]


def test_posts_dated_in_the_future_are_published_and_counted(folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 2999-01-01")
    front_matter(folder, "2.md", "title: Two", "author: Ada", "date: 2999-01-01", "draft: true")
    front_matter(folder, "3.md", "title: Three", "author: Ada", "date: 2016-01-01")

    assert run()[1][:-1] == ["1 dated in the future: published at once, under that date"]

    assert posts()["1"]["published_at"] == "2999-01-01T00:00:00Z"
