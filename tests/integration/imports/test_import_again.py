"""What an import changes that has been run before, and what it leaves alone."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from safestep.connections import execute
from sqlalchemy.engine import URL

from tests.integration.imports.files import Run, Served, front_matter, snapshot, write
from tests.support.database import plain
from tests.support.waiting import until_blocked


def test_running_it_twice_changes_nothing(database: URL, folder: Path, run: Run) -> None:
    front_matter(folder, "1.md", "title: One", "authors: [Ada, Bob]", "date: 2026-01-01")
    front_matter(folder, "2.md", "title: Two", "authors:", "  - name: Cyd", "    email: Cyd@Example.com")
    front_matter(folder, "3.md", "title: '  Three  '", "author: ' Ada '", "draft: true")
    assert run()[1][-1] == "3 created, 0 updated, 0 unchanged, 0 skipped"
    before = snapshot(database)

    assert run()[1][-1] == "0 created, 0 updated, 3 unchanged, 0 skipped"

    assert snapshot(database) == before


def test_a_changed_file_changes_its_post_alone(database: URL, folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 2026-01-01")
    front_matter(folder, "2.md", "title: Two", "author: Ada", "date: 2026-01-01")
    run()
    before = posts()
    front_matter(folder, "1.md", "title: Uno", "author: Ada", "date: 2026-01-01", body="New.\n")

    assert run()[1] == ["0 created, 1 updated, 1 unchanged, 0 skipped"]

    after = posts()
    assert (after["1"]["id"], after["1"]["title"], after["1"]["body"]) == (before["1"]["id"], "Uno", "New.\n")
    assert after["2"] == before["2"]


def test_a_post_that_became_a_draft_is_withdrawn(folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada")
    run()
    front_matter(folder, "1.md", "title: One", "author: Ada", "draft: true")

    assert run()[1][-1] == "0 created, 1 updated, 0 unchanged, 0 skipped"

    assert posts() == {}


def test_a_dry_run_reports_what_would_happen_and_changes_nothing(database: URL, folder: Path, run: Run) -> None:
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


def test_many_files_arrive_over_several_batches(database: URL, folder: Path, run: Run) -> None:
    for number in range(250):
        front_matter(folder, f"{number:03}.md", f"title: Post {number}", "authors: [Ada, Bob]", "date: 2026-01-01")

    assert run() == (0, ["250 created, 0 updated, 0 unchanged, 0 skipped"])

    assert len(snapshot(database)) == 2 + 250 + 250


def test_a_conflict_in_a_batch_costs_only_the_post_that_has_it(database: URL, folder: Path, run: Run) -> None:
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


def test_a_change_under_way_is_waited_for_and_then_seen(database: URL, folder: Path, run: Run, posts: Served) -> None:
    front_matter(folder, "1.md", "title: One", "author: Ada", "date: 2026-01-01")
    run()
    with ThreadPoolExecutor() as pool, psycopg.connect(plain(database)) as other:
        other.execute("UPDATE posts SET title = 'Changed elsewhere'")
        importing = pool.submit(run)
        asyncio.run(until_blocked(database, 1))
        other.commit()

        assert importing.result()[1] == ["0 created, 1 updated, 0 unchanged, 0 skipped"]

    assert posts()["1"]["title"] == "One"
