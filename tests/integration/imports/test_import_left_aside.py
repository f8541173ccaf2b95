"""What isn't taken is named and counted, and a source with nothing in it is refused."""

import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.importing import files
from app.importing.sources import collect
from tests.integration.imports.files import Run, Served, front_matter, write

POST = ("title: First", "author: Ada", "date: 2016-09-29")
ONE = "1 created, 0 updated, 0 unchanged, 0 skipped"


@pytest.mark.parametrize("form", ["\n{}", "\ufeff\r\n \n{}"])
def test_blank_lines_before_the_front_matter_are_fine(folder: Path, run: Run, posts: Served, form: str) -> None:
    write(folder, "first.md", form.format("---\ntitle: First\nauthor: Ada\ndate: 2016-09-29\n---\nText.\n"))

    assert run() == (0, [ONE])
    assert posts()["first"]["body"] == "Text.\n"


def test_what_is_no_post_is_counted_by_kind(folder: Path, run: Run) -> None:
    front_matter(folder, "first.md", *POST)
    front_matter(folder, "notes/_index.md", "title: Notes")
    front_matter(folder, ".git/second.md", *POST)
    front_matter(folder, "_site/second.md", *POST)
    write(folder, "page.html", "<p>No front matter.</p>")
    write(folder, "LICENSE", "")
    for number in range(4):
        write(folder, f"{number}.PNG", b"\x89PNG")

    assert run("--dry-run") == (
        0,
        [
            "left aside, .png files (4): 0.PNG, 1.PNG, 2.PNG, \u2026",
            "left aside, HTML files without front matter (1): page.html",
            "left aside, files without a suffix (1): LICENSE",
            "left aside, generated folders (1): _site/",
            "left aside, hidden files and folders (1): .git",
            "left aside, section pages (1): notes/_index.md",
            f"dry run, nothing changed: {ONE}",
        ],
    )


@pytest.mark.parametrize(
    ("site", "post", "kind"),
    [
        ("_config.yml", "_posts/2016-09-29-first.md", "pages outside of _posts and _drafts"),
        ("hugo.toml", "content/first.md", "files outside of content"),
    ],
)
def test_pages_of_a_site_are_no_posts(folder: Path, run: Run, site: str, post: str, kind: str) -> None:
    write(folder, site, "")
    front_matter(folder, post, *POST)
    front_matter(folder, "about.md", "title: About")

    code, report = run()

    assert (code, report[-1]) == (0, ONE)
    assert f"left aside, {kind} (1): about.md" in report


def test_the_resources_of_a_bundle_are_no_posts(folder: Path) -> None:
    write(folder, "hugo.toml", "")
    front_matter(folder, "content/first/index.md", *POST)
    front_matter(folder, "content/first/notes/second.md", *POST)
    collection = collect(folder)

    assert [source.name for source in collection.read()] == ["content/first/index.md"]
    assert collection.found.aside["resources of a page bundle"] == ["content/first/notes/second.md"]


def test_a_page_that_is_named_alone_is_taken(folder: Path, run: Run, posts: Served) -> None:
    write(folder, "_config.yml", "")
    front_matter(folder, "about.md", *POST)

    assert run(path=folder / "about.md") == (0, [ONE])
    assert list(posts()) == ["about"]


def refused(*_: object, **__: object) -> Any:
    raise PermissionError(13, "Permission denied")


def test_a_folder_that_cannot_be_read_is_reported(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the operating system's refusal is played."""
    front_matter(folder, "first.md", *POST)
    front_matter(folder, "closed/second.md", *POST)
    scandir = os.scandir
    monkeypatch.setattr(files.os, "scandir", lambda path: (refused if path.name == "closed" else scandir)(path))

    assert run() == (
        1,
        ["skipped closed/: can't be read: Permission denied", "1 created, 0 updated, 0 unchanged, 1 skipped"],
    )


def test_a_file_that_cannot_be_read_is_reported(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    front_matter(folder, "first.md", *POST)
    monkeypatch.setattr("app.importing.sources.read_front_matter", refused)

    assert run()[1][0] == "skipped first.md: can't be read: Permission denied"


def test_progress_counts_what_is_read_faults_included(tmp_path: Path, folder: Path) -> None:
    front_matter(folder, "first.md", *POST)
    write(folder, "second.md", "no front matter")
    write(folder, "picture.png", b"\x89PNG")
    (folder / "out.md").symlink_to(tmp_path)
    collection = collect(folder)

    assert collection.size == len(list(collection.read())) == 3


def test_links_are_not_followed(tmp_path: Path, folder: Path, run: Run, posts: Served) -> None:
    front_matter(tmp_path, "secrets/second.md", *POST)
    front_matter(folder, "first.md", *POST)
    (folder / "out.md").symlink_to(tmp_path / "secrets" / "second.md")
    (folder / "outer").symlink_to(tmp_path / "secrets")
    (folder / "circle").symlink_to(folder)
    (folder / "self.md").symlink_to(folder / "self.md")

    assert run() == (
        1,
        [
            "left aside, links within the folder (2): circle, self.md",
            "skipped out.md: a link that leads out of the folder isn't followed",
            "skipped outer: a link that leads out of the folder isn't followed",
            "1 created, 0 updated, 0 unchanged, 2 skipped",
        ],
    )
    assert list(posts()) == ["first"]


def test_a_pipe_is_not_waited_for(folder: Path, run: Run) -> None:
    front_matter(folder, "first.md", *POST)
    os.mkfifo(folder / "second.md")

    assert run() == (0, ["left aside, special files (1): second.md", ONE])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (None, "it is empty"),
        ("picture.png", "left aside, .png files (1): picture.png"),
        (".git/first.md", "left aside, hidden files and folders (1): .git"),
    ],
)
def test_a_folder_with_nothing_in_it_is_refused(folder: Path, name: str | None, reason: str) -> None:
    if name:
        write(folder, name, "---\n---\n")

    assert refusal(folder) == f"postern: nothing to import in {folder}: {reason}\n"


def test_json_lines_with_nothing_in_them_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text("\n\n")

    assert refusal(file) == f"postern: nothing to import in {file}: it is empty\n"


def test_a_site_whose_configuration_cannot_be_read_is_refused(folder: Path) -> None:
    """By the rules of no site its posts would get other paths, and come twice after the mend."""
    write(folder, "_config.yml", "permalink: [")
    front_matter(folder, "_posts/2016-09-29-first.md", *POST)

    reason = f"{folder / '_config.yml'} doesn't parse, which says what paths posts have"
    assert refusal(folder) == f"postern: nothing to import in {folder}: {reason}\n"


def test_a_file_that_only_looks_like_a_configuration_is_no_obstacle(folder: Path) -> None:
    write(folder, "config.json", "// other")
    front_matter(folder, "first.md", *POST)

    assert collect(folder).size == 1


def refusal(path: Path) -> str:
    """What is said, before any database is asked for."""
    environment = {"DATABASE_URL": "postgresql+asyncpg://ada:secret@127.0.0.1:1/postern"}
    result = CliRunner().invoke(app, ["import", str(path)], env=environment)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr
