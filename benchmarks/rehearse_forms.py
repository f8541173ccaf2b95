"""What changes of a big table in use cost: the naive form of each, and the safe one, rehearsed one by one.

    .venv/bin/python -m benchmarks.rehearse_forms --rows 1000000 --rate 200 [FORM…]

Each form is a revision of its own in a copy of the project, run by `postern db rehearse` under this checkout's
code, on a copy of one database that is filled once. Prints a table in Markdown; reports and plots stay in --reports.
"""

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from safestep.connections import execute
from safestep.rehearsal.fill import fill
from safestep.rehearsal.processes import migrate
from safestep.rehearsal.scratch import scratch_database, temporary_folder
from sqlalchemy.engine import URL

from app.core.config import load_settings
from app.db.migrations import make_project
from app.rehearsal import make_service_profile
from tests.support.rehearsals import LANGUAGE, NAIVE, CodeCopy, Outcome, copied, finish, start

# The same changes by the safe steps of `safestep`.
SAFE = {
    "safe: create index": "safestep.add_index_concurrently('ix_posts_title', 'posts', ['title'])",
    "safe: set not null": "safestep.set_not_null_safely('posts', 'language')",
    "safe: foreign key": (
        "safestep.add_foreign_key_not_valid('fk_posts_owner', 'posts', 'users', ['author_id'], ['id']); "
        "safestep.validate_constraint('fk_posts_owner', 'posts')"
    ),
    "safe: backfill": "safestep.batched_backfill('posts', {'language': \"'de'\"})",
}
# With a transaction that has read the table and stays open for a minute, for which the lock has to wait.
BLOCKED = "add column, blocked for 60 s"
QUICK = {"add column": "ALTER TABLE posts ADD COLUMN pinned boolean DEFAULT false NOT NULL"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("forms", nargs="*", metavar="FORM", help=", ".join([*NAIVE, *QUICK, BLOCKED, *SAFE]))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rate", default="200")
    parser.add_argument("--reports", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    with temporary_folder() as folder, scratch_database(make_project(), folder) as filled:
        deployed = copied(folder / "filled")
        deployed.add("language", LANGUAGE)
        asyncio.run(prepare(deployed, filled, given.rows, folder))
        print(
            "| form | longest wait for a lock | longest request | failed | p99 before | during | after "
            "| lock, held | rewritten |"
        )
        print("|---|---|---|---|---|---|---|---|---|", flush=True)
        for number, form in enumerate(given.forms or [*NAIVE, *QUICK, BLOCKED, *SAFE]):
            with copy(filled, f"form_{number}") as url:
                report = given.reports / f"rehearsal {form.replace(':', '')}.json"
                project = copied(folder / str(url.database))
                outcome = rehearsed(form, project, folder, url, given.rate, report.with_suffix(".svg"))
            report.write_text(json.dumps(outcome.report, indent=2))
            print(f"| {form} | {' | '.join(cells(outcome))} |", flush=True)


async def prepare(project: CodeCopy, url: URL, rows: int, folder: Path) -> None:
    profile = make_service_profile(load_settings())
    _, output = await migrate(profile, project.root, url, project.head, folder)
    print(output)
    print((await fill(url, rows, profile.tables, lambda *_: None)).rows, flush=True)


@contextmanager
def copy(filled: URL, name: str) -> Iterator[URL]:
    server = filled.set(database="postgres")
    asyncio.run(execute(server, f"CREATE DATABASE {name} TEMPLATE {filled.database} STRATEGY file_copy"))
    os.sync()  # or the copy would still be on its way to the disk while the form is measured
    yield filled.set(database=name)
    asyncio.run(execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


def rehearsed(form: str, project: CodeCopy, folder: Path, url: URL, rate: str, plot: Path) -> Outcome:
    deployed = project.add("language", LANGUAGE)
    add(project, form)
    where = url.render_as_string(hide_password=False)
    arguments = ("--code", "checkout", "--from", deployed, "--url", where, "--rate", rate, "--plot", str(plot))
    process = start(project.root, folder, *arguments)
    if form == BLOCKED:
        block(process, url)
    return finish(process, seconds=3600)


def block(process: subprocess.Popen[str], url: URL) -> None:
    """Keeps a transaction open on the table for a minute from the start of the migration."""
    for line in process.stderr or ():
        if "migrating" in line:
            break
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute("SELECT FROM posts LIMIT 1")
        time.sleep(60)


def add(project: CodeCopy, form: str) -> None:
    if form in SAFE:
        project.add_steps(form.replace("safe: ", "safe "), "import safestep", SAFE[form])
    else:
        project.add(form, (NAIVE | QUICK)[form.partition(",")[0]])


def cells(outcome: Outcome) -> list[str]:
    if not outcome.report:
        return [(outcome.errors.strip() or "no answer").splitlines()[-1], *["-"] * 7]
    leg = outcome.report["legs"][0]
    periods: dict[str, Any] = leg["periods"]
    locks = [lock for each in leg["statements"] for lock in each["locks"] if lock["table"] == "posts"]
    longest = max(locks, key=lambda lock: lock["seconds"], default=None)
    rewritten = sorted({table for each in leg["statements"] for table in each["rewrote"]})
    waits = [lock["longest_wait"] for each in leg["statements"] for lock in each["locks"]]
    return [
        milliseconds(max(waits, default=0)),
        milliseconds(leg["stall"]),
        f"{total('failed', periods)} of {total('requests', periods)}",
        *(milliseconds(periods[name]["p99"]) for name in ("before", "during", "after")),
        f"{longest['mode']}, {milliseconds(longest['seconds'])}" if longest else "shorter than a sample",
        ", ".join(rewritten) or "no",
    ]


def total(count: str, periods: dict[str, Any]) -> int:
    return sum(period[count] for period in periods.values())


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


if __name__ == "__main__":
    main()
