"""`postern import`, from files to what the API then serves."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safestep.connections import execute
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from typer.testing import CliRunner

from app.cli.main import app
from app.cli.main import run as main
from tests.conftest import DRIVERS
from tests.support.application import client_of, running
from tests.support.server import Clone

type Post = dict[str, Any]

TOML = """+++
title = "{title}"
authors = ["Ada"]
date = 2026-01-02T03:04:05Z
+++
{body}"""

YAML = """---
title: {title}
author: Ada
date: 2026-01-02 03:04:05
---
{body}"""


@pytest.fixture
def database(template: URL) -> Iterator[URL]:
    """A migrated database, with nobody else in it."""
    clone = Clone(template)
    url = asyncio.run(clone.__aenter__())
    yield url
    asyncio.run(clone.__aexit__())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is imported."""
    blog = tmp_path / "blog"
    blog.mkdir()
    return blog


@pytest.fixture
def run(database: URL, folder: Path) -> Callable[..., tuple[int, list[str]]]:
    """Runs the command on the folder, or on another path; returns its exit code and the lines of its report."""

    def run(*arguments: str, path: Path = folder, url: URL = database) -> tuple[int, list[str]]:
        environment = {"DATABASE_URL": url.render_as_string(hide_password=False)}
        result = CliRunner().invoke(app, ["import", str(path), *arguments], env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout.splitlines()

    return run


@pytest.fixture
def posts(database: URL) -> Callable[..., dict[str, Post]]:
    """What the API serves now, whole, by slug."""

    async def fetch(query: dict[str, str]) -> dict[str, Post]:
        async with running(database) as api, client_of(api) as client:
            items = (await client.get("/api/v1/posts", params={"limit": "100", **query})).json()["items"]
            return {item["slug"]: (await client.get(f"/api/v1/posts/{item['id']}")).json() for item in items}

    return lambda **query: asyncio.run(fetch(query))


def snapshot(url: URL) -> list[str]:
    """Every row of every table, with the time of its last change."""

    async def fetch() -> list[str]:
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            tables = [
                (await connection.execute(text(f"SELECT t::text FROM {table} t ORDER BY 1"))).scalars().all()
                for table in ("users", "posts", "co_authorships")
            ]
        await engine.dispose()
        return [row for rows in tables for row in rows]

    return asyncio.run(fetch())


def write(folder: Path, path: str, content: str | bytes) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def front_matter(folder: Path, path: str, *lines: str, body: str = "Text.\n") -> None:
    write(folder, path, "\n".join(["---", *lines, "---", body]))


@pytest.mark.parametrize("form", [TOML, YAML], ids=["TOML", "YAML"])
def test_a_post_with_front_matter_arrives_whole(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any], form: str
) -> None:
    write(folder, "notes/first.md", form.format(title="First notes", body="Some *text*.\n"))

    assert run() == (0, ["1 created, 0 updated, 0 unchanged, 0 skipped"])

    post = posts()["notes/first"]
    assert post["title"] == "First notes"
    assert post["body"] == "Some *text*.\n"
    assert post["author"]["name"] == "Ada"
    assert post["co_authors"] == []
    assert post["published_at"] == "2026-01-02T03:04:05Z"


def test_json_lines_arrive_whole(tmp_path: Path, run: Callable[..., Any], posts: Callable[..., Any]) -> None:
    file = tmp_path / "posts.jsonl"
    lines = [
        {"title": "One", "author": "Ada", "slug": "one", "body": "1\r\n", "date": "2026-01-02"},
        {"title": "Two", "authors": [{"name": "Bob", "email": "bob@example.com"}], "path": "two", "content": "2"},
        {"title": "Three", "author": "Ada", "path": "2016/09/29/three", "body": "3"},
    ]
    file.write_text("\n\n".join(json.dumps(line) for line in lines))

    code, report = run(path=file)

    assert (code, report[-1]) == (0, "3 created, 0 updated, 0 unchanged, 0 skipped")
    assert posts()["one"]["body"] == "1\r\n"
    assert posts()["one"]["published_at"] == "2026-01-02T00:00:00Z"
    assert posts()["two"]["author"]["name"] == "Bob"
    assert posts()["2016/09/29/three"]["published_at"] == "2016-09-29T00:00:00Z"


def test_one_markdown_file_can_be_imported_alone(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any]
) -> None:
    front_matter(folder, "first.md", "title: First", "author: Ada")

    assert run(path=folder / "first.md")[0] == 0

    assert list(posts()) == ["first"]


@pytest.mark.parametrize(
    ("place", "lines", "slug"),
    [
        ("first.md", ["path: 2016/09/29/first"], "2016/09/29/first"),
        ("first.md", ["path: /2016/first/"], "2016/first"),
        ("blog/first.md", ["slug: other"], "blog/other"),
        ("blog/first/index.md", [], "blog/first"),
        ("blog/first/index.md", ["slug: other"], "blog/other"),
        ("blog/first.markdown", [], "blog/first"),
        ("blog/first.MD", [], "blog/first"),
        ("_posts/2016-09-29-first.md", [], "_posts/2016-09-29-first"),
    ],
)
def test_a_post_has_its_own_path_or_that_of_its_file(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any], place: str, lines: list[str], slug: str
) -> None:
    front_matter(folder, place, "title: First", "author: Ada", *lines)

    assert run()[0] == 0

    assert list(posts()) == [slug]


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
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any], place: str, lines: list[str], date: str
) -> None:
    front_matter(folder, place, "title: First", "author: Ada", *lines)

    assert run() == (0, ["1 created, 0 updated, 0 unchanged, 0 skipped"])

    [post] = posts().values()
    assert post["published_at"] == date


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00Z", "0001-01-01", "'0001-01-01 00:00:00 +0000'"])
def test_the_zero_time_of_go_is_no_date(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any], date: str
) -> None:
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
    database: URL, folder: Path, run: Callable[..., Any], driver: str
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


def test_digits_in_a_path_that_are_no_date_are_just_digits(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any]
) -> None:
    front_matter(folder, "2016/99/99/first.md", "title: First", "author: Ada")

    code, report = run()

    assert code == 0
    assert report[0] == "1 without a date: published at the time of their first import"
    assert list(posts()) == ["2016/99/99/first"]


def test_a_post_without_a_date_keeps_that_of_its_first_import(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any]
) -> None:
    front_matter(folder, "first.md", "title: First", "author: Ada")
    run()
    before = posts()["first"]["published_at"]
    front_matter(folder, "first.md", "title: Changed", "author: Ada")

    assert run()[1][-1] == "0 created, 1 updated, 0 unchanged, 0 skipped"

    assert before is not None
    assert posts()["first"]["published_at"] == before


@pytest.mark.parametrize("title", ["2020", "2016-09-29", "1.10", "Yes", "0x1f", "2020-01-01 10:00:00"])
def test_a_title_is_text_whatever_yaml_takes_it_for(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any], title: str
) -> None:
    front_matter(folder, "a.md", f"title: {title}", "slug: 1.10", f"author: {title}", "date: 2016-09-29")
    front_matter(folder, "b.md", "title: B", "authors:", f"  - name: {title}", "date: 2016-09-29")

    assert run()[0] == 0

    assert (posts()["1.10"]["title"], posts()["1.10"]["author"]["name"]) == (title, title)
    assert posts()["b"]["author"]["name"] == title


def test_a_title_that_is_left_empty_is_missing(folder: Path, run: Callable[..., Any]) -> None:
    front_matter(folder, "a.md", "title:", "author: Ada")

    assert run()[1][0] == "skipped a.md: title: Field required"


def test_a_draft_is_not_published(folder: Path, run: Callable[..., Any], posts: Callable[..., Any]) -> None:
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
def test_what_jekyll_would_not_publish_is_a_draft(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any], place: str, line: str
) -> None:
    front_matter(folder, place, "title: First", "author: Ada", "date: 2016-09-29", line)

    assert run()[0] == 0
    assert posts() == {}
    assert [post["published_at"] for post in posts(status="draft").values()] == [None]

    assert run(path=(folder / place).parent)[0] == 0
    assert posts() == {}


def test_json_lines_may_be_unpublished_too(tmp_path: Path, run: Callable[..., Any], posts: Callable[..., Any]) -> None:
    file = tmp_path / "posts.JSONL"
    file.write_text(json.dumps({"title": "One", "author": "Ada", "path": "one", "body": "1", "published": False}))

    assert run(path=file) == (0, ["1 created, 0 updated, 0 unchanged, 0 skipped"])

    assert list(posts(status="draft")) == ["one"]


def test_posts_dated_in_the_future_are_published_and_counted(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any]
) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 2999-01-01")
    front_matter(folder, "2.md", "title: Two", "author: Ada", "date: 2999-01-01", "draft: true")
    front_matter(folder, "3.md", "title: Three", "author: Ada", "date: 2016-01-01")

    assert run()[1][:-1] == ["1 dated in the future: published at once, under that date"]

    assert posts()["1"]["published_at"] == "2999-01-01T00:00:00Z"


def test_sections_and_hidden_folders_are_no_posts(folder: Path, run: Callable[..., Any]) -> None:
    front_matter(folder, "_index.md", "title: Blog", "author: Ada")
    front_matter(folder, "notes/_index.md", "title: Notes", "author: Ada")
    front_matter(folder, ".git/first.md", "title: First", "author: Ada")
    write(folder, "picture.png", b"\x89PNG")

    assert run() == (0, ["0 created, 0 updated, 0 unchanged, 0 skipped"])


def test_two_authors_stand_in_the_order_of_the_byline(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any]
) -> None:
    front_matter(folder, "first.md", "title: First", "authors: [Zoe, Ada, Bob, Zoe]")
    run()
    front_matter(folder, "second.md", "title: Second", "authors: [Bob, Zoe]")
    run()

    first, second = posts()["first"], posts()["second"]
    assert [first["author"]["name"], *(user["name"] for user in first["co_authors"])] == ["Zoe", "Ada", "Bob"]
    assert [second["author"]["name"], *(user["name"] for user in second["co_authors"])] == ["Bob", "Zoe"]


def test_a_changed_byline_is_an_update(folder: Path, run: Callable[..., Any], posts: Callable[..., Any]) -> None:
    front_matter(folder, "first.md", "title: First", "authors: [Ada, Bob, Cyd]", "date: 2026-01-01")
    run()
    front_matter(folder, "first.md", "title: First", "authors: [Ada, Cyd, Dan]", "date: 2026-01-01")

    assert run()[1] == ["0 created, 1 updated, 0 unchanged, 0 skipped"]

    assert [user["name"] for user in posts()["first"]["co_authors"]] == ["Cyd", "Dan"]


def test_an_author_is_made_once(folder: Path, run: Callable[..., Any], posts: Callable[..., Any]) -> None:
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


def test_posts_without_an_author_can_be_given_one(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any]
) -> None:
    front_matter(folder, "first.md", "title: First")
    front_matter(folder, "second.md", "title: Second", "author: Bob")

    assert run("--author", "Ada")[0] == 0

    assert {slug: post["author"]["name"] for slug, post in posts().items()} == {"first": "Ada", "second": "Bob"}


@pytest.mark.parametrize(
    "body",
    [
        "    indented = code\n\n\ttab\n",
        "trailing space  \n\n\n",
        "no newline at the end",
        "+++\nnot front matter\n---\n",
        "caf\u00e9 \U0001f600 \u2028 <script>",
        "",
    ],
)
def test_a_body_is_kept_to_the_letter(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any], body: str
) -> None:
    for number, form in enumerate((TOML, YAML)):
        write(folder, f"{number}.md", form.format(title="First", body=f"\n{body}"))

    assert run()[0] == 0

    assert [post["body"] for post in posts().values()] == [body, body]


@pytest.mark.parametrize("field", ["body", "content"])
def test_the_text_below_the_front_matter_is_the_body_whatever_the_front_matter_calls_so(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any], field: str
) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 2026-01-01", f"{field}: Not this.", body="This.\n")

    report = run()[1]

    assert report[0] == f"front matter without a place here, not imported: {field} (1)"
    assert posts()["1"]["body"] == "This.\n"


def test_running_it_twice_changes_nothing(database: URL, folder: Path, run: Callable[..., Any]) -> None:
    front_matter(folder, "1.md", "title: One", "authors: [Ada, Bob]", "date: 2026-01-01")
    front_matter(folder, "2.md", "title: Two", "authors:", "  - name: Cyd", "    email: Cyd@Example.com")
    front_matter(folder, "3.md", "title: '  Three  '", "author: ' Ada '", "draft: true")
    assert run()[1][-1] == "3 created, 0 updated, 0 unchanged, 0 skipped"
    before = snapshot(database)

    assert run()[1][-1] == "0 created, 0 updated, 3 unchanged, 0 skipped"

    assert snapshot(database) == before


def test_a_changed_file_changes_its_post_alone(
    database: URL, folder: Path, run: Callable[..., Any], posts: Callable[..., Any]
) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 2026-01-01")
    front_matter(folder, "2.md", "title: Two", "author: Ada", "date: 2026-01-01")
    run()
    before = posts()
    front_matter(folder, "1.md", "title: Uno", "author: Ada", "date: 2026-01-01", body="New.\n")

    assert run()[1] == ["0 created, 1 updated, 1 unchanged, 0 skipped"]

    after = posts()
    assert (after["1"]["id"], after["1"]["title"], after["1"]["body"]) == (before["1"]["id"], "Uno", "New.\n")
    assert after["2"] == before["2"]


def test_a_post_that_became_a_draft_is_withdrawn(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any]
) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada")
    run()
    front_matter(folder, "1.md", "title: One", "author: Ada", "draft: true")

    assert run()[1][-1] == "0 created, 1 updated, 0 unchanged, 0 skipped"

    assert posts() == {}


BROKEN: list[tuple[str, str | bytes, str]] = [
    ("none.md", "Just text.\n", "no front matter: expected +++ (TOML) or --- (YAML) on the first line"),
    ("open.md", "---\ntitle: Open\n\nText.\n", "the front matter has no end: expected another ---"),
    ("toml.md", "+++\ntitle = First\n+++\n", "front matter doesn't parse: "),
    ("yaml.md", "---\ntitle: [\n---\n", "front matter doesn't parse: "),
    ("code.md", "---\ntitle: !!python/object/apply:os.system [x]\n---\n", "front matter doesn't parse: "),
    ("list.md", "---\n- title\n---\n", "front matter is not a table of fields"),
    ("latin.md", "---\ntitle: caf\u00e9\n---\n".encode("latin-1"), "not UTF-8 text"),
    ("untitled.md", "---\nauthor: Ada\n---\n", "title: Field required"),
    ("blank.md", "---\ntitle: '  '\nauthor: Ada\n---\n", "title: String should have at least 1 character"),
    ("long.md", f"---\ntitle: {'x' * 201}\nauthor: Ada\n---\n", "title: String should have at most 200 characters"),
    ("large.md", f"---\ntitle: t\nauthor: Ada\n---\n{'x' * 1_000_001}", "body: String should have at most 1000000"),
    ("nobody.md", "---\ntitle: First\n---\n", "authors: Field required"),
    ("mail.md", "---\ntitle: t\nauthor: {name: Ada, email: ada}\n---\n", "author.0.email: value is not a valid email"),
    ("soon.md", "---\ntitle: t\nauthor: Ada\ndate: soon\n---\n", "date: not a date; write one such as"),
    ("year.md", "---\ntitle: t\nauthor: Ada\ndate: 2016\n---\n", "date: a number"),
    ("ago.md", "---\ntitle: t\nauthor: Ada\ndate: 0001-01-01T00:00:00+05:00\n---\n", "date: not between"),
    ("old.md", "---\ntitle: t\nauthor: Ada\ndate: 0999-12-31\n---\n", "date: not between the years 1000 and"),
    ("end.md", "---\ntitle: t\nauthor: Ada\ndate: 9999-01-01\n---\n", "date: not between the years 1000 and"),
    ("nul.md", "---\ntitle: t\nauthor: Ada\n---\nnul \0\n", "body: Text can't contain the character NUL"),
    ("a space.md", "---\ntitle: t\nauthor: Ada\n---\n", "path: A path has letters, digits and"),
    ("dots.md", "---\ntitle: t\nauthor: Ada\nslug: ../dots\n---\n", "path: A path has letters, digits and"),
    ("line.md", '---\ntitle: "two\\nlines"\nauthor: Ada\n---\n', "title: Text has to be one line"),
    ("python.md", "---\ntitle: !!python/name:os.system\nauthor: Ada\n---\n", "front matter doesn't parse: "),
    ("keys.md", "---\n? [title]\n: t\nauthor: Ada\n---\n", "front matter doesn't parse: "),
    (
        "sometime.md",
        "---\ntitle: t\nauthor: Ada\npublished: 2016-09-29\n---\n",
        "published: Input should be a valid boolean",
    ),
]


def test_broken_files_are_reported_with_their_reasons_and_the_sound_ones_arrive(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any]
) -> None:
    for name, content, _ in BROKEN:
        write(folder, name, content)
    for number in range(3):
        front_matter(folder, f"{number}.md", f"title: Post {number}", "author: Ada", "date: 2026-01-01")

    code, report = run()

    assert code == 1
    assert report[-1] == f"3 created, 0 updated, 0 unchanged, {len(BROKEN)} skipped"
    skipped = dict(line.removeprefix("skipped ").split(": ", 1) for line in report[:-1])
    assert {name: skipped[name][: len(reason)] for name, _, reason in BROKEN} == {
        name: reason for name, _, reason in BROKEN
    }
    assert posts().keys() == {"0", "1", "2"}


def test_broken_lines_of_json_are_reported_by_number(tmp_path: Path, run: Callable[..., Any]) -> None:
    file = tmp_path / "posts.ndjson"
    sound = json.dumps({"title": "One", "author": "Ada", "slug": "one", "body": "", "date": "2026-01-01"})
    file.write_bytes(b"\n".join([b"{", sound.encode(), b"[1]", b"\xff", b"[" * 100_000, b"{}"]))

    code, report = run(path=file)

    assert code == 1
    assert [line.split()[1] for line in report[:-1]] == [f"posts.ndjson:{number}:" for number in (1, 3, 4, 5, 6)]
    assert report[-1] == "1 created, 0 updated, 0 unchanged, 5 skipped"


def test_the_second_file_with_a_path_is_reported(
    folder: Path, run: Callable[..., Any], posts: Callable[..., Any]
) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "path: same", "date: 2026-01-01")
    front_matter(folder, "2.md", "title: Two", "author: Ada", "path: same", "date: 2026-01-01")

    assert run() == (
        1,
        ["skipped 2.md: has the same path as 1.md", "1 created, 0 updated, 0 unchanged, 1 skipped"],
    )

    assert posts()["same"]["title"] == "One"


def test_a_file_that_cannot_be_read_is_reported(folder: Path, run: Callable[..., Any]) -> None:
    (folder / "folder.md").mkdir()

    assert run()[1][0] == "skipped folder.md: can't be read: Is a directory"


def test_front_matter_without_a_place_is_named(folder: Path, run: Callable[..., Any]) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 2026-01-01", "tags: [a]", "weight: 1")
    front_matter(folder, "2.md", "title: Two", "author: Ada", "date: 2026-01-01", "tags: [b]")

    assert run()[1][0] == "front matter without a place here, not imported: tags (2), weight (1)"


def test_a_dry_run_reports_what_would_happen_and_changes_nothing(
    database: URL, folder: Path, run: Callable[..., Any]
) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 2026-01-01")
    front_matter(folder, "2.md", "title: Two", "author: Ada", "date: 2026-01-01")
    run()
    before = snapshot(database)
    front_matter(folder, "1.md", "title: Uno", "author: Ada", "date: 2026-01-01")
    front_matter(folder, "3.md", "title: Three", "author: Bob", "date: 2026-01-01")
    write(folder, "4.md", "broken")

    code, report = run("--dry-run")

    assert code == 1
    assert report[-1] == "dry run, nothing changed: 1 created, 1 updated, 1 unchanged, 1 skipped"
    assert snapshot(database) == before


def test_many_files_arrive_over_several_batches(database: URL, folder: Path, run: Callable[..., Any]) -> None:
    for number in range(250):
        front_matter(folder, f"{number:03}.md", f"title: Post {number}", "authors: [Ada, Bob]", "date: 2026-01-01")

    assert run() == (0, ["250 created, 0 updated, 0 unchanged, 0 skipped"])

    assert len(snapshot(database)) == 2 + 250 + 250


def test_a_conflict_in_a_batch_costs_only_the_post_that_has_it(
    database: URL, folder: Path, run: Callable[..., Any]
) -> None:
    """The database has the last word: here it refuses one title."""
    asyncio.run(execute(database, "CREATE UNIQUE INDEX one_each ON posts (title) WHERE title = 'Same'"))
    front_matter(folder, "1.md", "title: Same", "author: Ada", "date: 2026-01-01")
    front_matter(folder, "2.md", "title: Same", "author: Ada", "date: 2026-01-01")
    front_matter(folder, "3.md", "title: Other", "author: Ada", "date: 2026-01-01")

    assert run() == (
        1,
        [
            "skipped 2.md: The change contradicts what is stored; nothing was changed.",
            "2 created, 0 updated, 0 unchanged, 1 skipped",
        ],
    )


def test_a_path_that_is_not_there_is_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    assert run(path=tmp_path / "nothing")[0] == 2


def test_a_database_that_is_down_is_not_blamed_on_the_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada")
    front_matter(folder, "2.md", "title: Two", "author: Ada")
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://ada:secret@127.0.0.1:1/postern")
    monkeypatch.setattr(sys, "argv", ["postern", "import", str(folder)])

    with pytest.raises(SystemExit) as exited:
        main()

    out, err = capsys.readouterr()
    assert exited.value.code == 1
    assert out == ""
    assert err.splitlines()[-1] == "postern: The database can't be reached at the moment."
