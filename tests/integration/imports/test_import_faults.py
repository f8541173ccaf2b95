"""What cannot be imported is reported with its reason, and the rest arrives."""

import json
import sys
from pathlib import Path

import pytest

from app.cli.main import run as main
from app.core.product import COMMAND
from tests.integration.imports.files import Run, Served, front_matter, write

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
    ("nobody.md", "---\ntitle: First\n---\n", "authors: Field required (--author NAME gives one"),
    ("mail.md", "---\ntitle: t\nauthor: {name: Ada, email: ada}\n---\n", "author.0.email: value is not a valid email"),
    ("soon.md", "---\ntitle: t\nauthor: Ada\ndate: soon\n---\n", "date: not a date; write one such as"),
    ("year.md", "---\ntitle: t\nauthor: Ada\ndate: 2016\n---\n", "date: a number"),
    ("ago.md", "---\ntitle: t\nauthor: Ada\ndate: 0001-01-01T00:00:00+05:00\n---\n", "date: not between"),
    ("old.md", "---\ntitle: t\nauthor: Ada\ndate: 0999-12-31\n---\n", "date: not between the years 1000 and"),
    ("end.md", "---\ntitle: t\nauthor: Ada\ndate: 9999-01-01\n---\n", "date: not between the years 1000 and"),
    ("huge.md", f"---\ntitle: t\nauthor: Ada\n---\n{'x' * 5_000_000}", "larger than 5000000 bytes"),
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
    folder: Path, run: Run, posts: Served
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


def test_broken_lines_of_json_are_reported_by_number(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "posts.ndjson"
    sound = json.dumps({"title": "One", "author": "Ada", "slug": "one", "body": "", "date": "2026-01-01"})
    file.write_bytes(b"\n".join([b"{", sound.encode(), b"[1]", b"\xff", b"[" * 100_000, b"{}"]))

    code, report = run(path=file)

    assert code == 1
    assert [line.split()[1] for line in report[:-1]] == [f"posts.ndjson:{number}:" for number in (1, 3, 4, 5, 6)]
    assert report[-1] == "1 created, 0 updated, 0 unchanged, 5 skipped"


def test_the_second_file_with_a_path_is_reported(folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "path: same", "date: 2026-01-01")
    front_matter(folder, "2.md", "title: Two", "author: Ada", "path: same", "date: 2026-01-01")

    assert run() == (
        1,
        ["skipped 2.md: has the same path as 1.md", "1 created, 0 updated, 0 unchanged, 1 skipped"],
    )

    assert posts()["same"]["title"] == "One"


def test_front_matter_without_a_place_is_named(folder: Path, run: Run) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 2026-01-01", "tags: [a]", "weight: 1")
    write(folder, "2.md", "+++\ntitle = 'Two'\nauthor = 'Ada'\ndate = 2026-01-01\ntaxonomies.tags = ['b']\n+++\n")

    assert run()[1][0] == "front matter without a place here, left aside: tags (2), weight (1)"


def test_a_path_that_is_not_there_is_refused(run: Run, tmp_path: Path) -> None:
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
    assert err.splitlines()[-1] == f"{COMMAND}: The database can't be reached at the moment."
