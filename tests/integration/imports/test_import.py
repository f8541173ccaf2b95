"""`postern import`, from files to what the API then serves."""

import json
from pathlib import Path

import pytest

from tests.integration.imports.files import TOML, YAML, Run, Served, front_matter, write


@pytest.mark.parametrize("form", [TOML, YAML], ids=["TOML", "YAML"])
def test_a_post_with_front_matter_arrives_whole(folder: Path, run: Run, posts: Served, form: str) -> None:
    write(folder, "notes/first.md", form.format(title="First notes", body="Some *text*.\n"))

    assert run() == (0, ["1 created, 0 updated, 0 unchanged, 0 skipped"])

    post = posts()["notes/first"]
    assert post["title"] == "First notes"
    assert post["body"] == "Some *text*.\n"
    assert post["author"]["name"] == "Ada"
    assert post["co_authors"] == []
    assert post["published_at"] == "2026-01-02T03:04:05Z"


def test_json_lines_arrive_whole(tmp_path: Path, run: Run, posts: Served) -> None:
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


def test_one_markdown_file_can_be_imported_alone(folder: Path, run: Run, posts: Served) -> None:
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
        ("blog/first.html", [], "blog/first"),
    ],
)
def test_a_post_has_its_own_path_or_that_of_its_file(
    folder: Path, run: Run, posts: Served, place: str, lines: list[str], slug: str
) -> None:
    front_matter(folder, place, "title: First", "author: Ada", *lines)

    assert run()[0] == 0

    assert list(posts()) == [slug]


@pytest.mark.parametrize("title", ["2020", "2016-09-29", "1.10", "Yes", "0x1f", "2020-01-01 10:00:00"])
def test_a_title_is_text_whatever_yaml_takes_it_for(folder: Path, run: Run, posts: Served, title: str) -> None:
    front_matter(folder, "a.md", f"title: {title}", "slug: 1.10", f"author: {title}", "date: 2016-09-29")
    front_matter(folder, "b.md", "title: B", "authors:", f"  - name: {title}", "date: 2016-09-29")

    assert run()[0] == 0

    assert (posts()["1.10"]["title"], posts()["1.10"]["author"]["name"]) == (title, title)
    assert posts()["b"]["author"]["name"] == title


def test_a_title_that_is_left_empty_is_missing(folder: Path, run: Run) -> None:
    front_matter(folder, "a.md", "title:", "author: Ada")

    assert run()[1][0] == "skipped a.md: title: Field required"


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
def test_a_body_is_kept_to_the_letter(folder: Path, run: Run, posts: Served, body: str) -> None:
    for number, form in enumerate((TOML, YAML)):
        write(folder, f"{number}.md", form.format(title="First", body=f"\n{body}"))

    assert run()[0] == 0

    assert [post["body"] for post in posts().values()] == [body, body]


@pytest.mark.parametrize("field", ["body", "content"])
def test_the_text_below_the_front_matter_is_the_body_whatever_the_front_matter_calls_so(
    folder: Path, run: Run, posts: Served, field: str
) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 2026-01-01", f"{field}: Not this.", body="This.\n")

    report = run()[1]

    assert report[0] == f"front matter without a place here, left aside: {field} (1)"
    assert posts()["1"]["body"] == "This.\n"
