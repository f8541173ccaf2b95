"""Rehearsals through the command, small: a real server, the service under traffic, a migration in the middle."""

import asyncio
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from safestep.gate import execute
from safestep.migrations import commands as migrations
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.journal import Journal, prepare
from safestep.rehearsal.place import scratch_database
from safestep.rehearsal.plan import git
from safestep.rehearsal.watch import ROLE
from sqlalchemy.engine import URL

from tests.support.rehearsals import LANGUAGE, NAIVE, Project, copied, finish, rehearse, start
from tests.support.server import Clone

QUICK = ("--warm-up", "0.5", "--before", "1", "--after", "1")
SMALL = ("--rows", "10000", "--rate", "50", *QUICK)
# Where a stall isn't the question, a busy machine mustn't become one.
PATIENT = ("--rows", "1000", "--rate", "20", "--max-stall", "20", *QUICK)
FIRST = "3c32f22b34d4"


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path that PostgreSQL's account may enter; empty at the end, or something was left behind."""
    folder = Path(tempfile.mkdtemp(prefix="rehearse-"))
    folder.chmod(0o711)
    yield folder
    left = [file.name for file in folder.glob("postern-rehearsal-*")]
    running = [each.pid for each in psutil.process_iter(["cmdline"]) if str(folder) in str(each.info["cmdline"])]
    shutil.rmtree(folder)
    assert (left, running) == ([], [])


@pytest.fixture
def project(place: Path) -> Project:
    return copied(place)


@pytest.fixture
def first_version() -> str:
    """The newest commit of the service as it was with nothing but its first revision."""
    try:
        commits = git(migrations.ROOT, "rev-list", "HEAD").split()
    except RehearsalError as error:
        pytest.skip(f"there is no history here: {error}")
    for commit in commits:
        versions = git(migrations.ROOT, "ls-tree", "--name-only", commit, "alembic/versions/").split()
        users = "" if len(versions) != 1 else git(migrations.ROOT, "show", f"{commit}:app/db/models/user.py")
        # A branch may have had columns in its models before it had their revision.
        if users and FIRST in versions[0] and "is_admin" not in users:
            return commit
    pytest.skip("the history of the repository doesn't go back that far")


def test_the_shipped_revisions_pass_under_the_code_of_the_first(place: Path, first_version: str) -> None:
    outcome = rehearse(migrations.ROOT, place, "--base", first_version, *PATIENT, "--rows", "10000")

    assert outcome.code == 0, outcome.errors
    assert outcome.report["passed"]
    assert outcome.report["rows"]["posts"] == 10_000
    index = outcome.statement("CREATE INDEX CONCURRENTLY ix_posts_author_drafts")
    assert [(lock["table"], lock["mode"]) for lock in index["locks"]] == [("posts", "ShareUpdateExclusiveLock")]
    assert [direction["faults"] for direction in outcome.report["directions"]] == [[], []]


def test_naive_forms_are_caught_and_their_locks_named(project: Project, place: Path) -> None:
    before = project.head
    project.add("language", LANGUAGE)
    for name, statement in NAIVE.items():
        # As long as the table of a real service would take, under the lock that the statement took.
        project.add(name, statement, "SELECT pg_sleep(0.6)")

    arguments = ("--code", "checkout", "--from", before, "--max-stall", "0.5", *SMALL)
    outcome = rehearse(project.root, place, *arguments)

    assert outcome.code == 1, outcome.errors
    assert not outcome.report["passed"]
    on_posts = {}
    for name, statement in NAIVE.items():
        found = outcome.statement(statement)
        modes = [lock["mode"] for lock in found["locks"] if lock["table"] == "posts" and lock["seconds"] > 0.5]
        on_posts[name] = (modes, found["rewrote"])
    assert on_posts == {
        "create index": (["ShareLock"], []),
        "set not null": (["AccessExclusiveLock"], []),
        "foreign key": (["ShareRowExclusiveLock"], []),
        "column type": (["AccessExclusiveLock"], ["posts"]),
        "volatile default": (["AccessExclusiveLock"], ["posts"]),
    }
    assert outcome.report["legs"][0]["stall"] > 0.5


def test_a_contract_runs_under_the_new_code_after_the_expand(project: Project, place: Path) -> None:
    before = project.head
    expand = project.add("language", LANGUAGE)
    contract = project.add("no language", "ALTER TABLE posts DROP COLUMN language", phase="contract")

    outcome = rehearse(project.root, place, "--code", "checkout", "--from", before, *PATIENT)

    assert outcome.code == 0, outcome.errors
    legs = [(leg["phase"], leg["from"], leg["to"]) for leg in outcome.report["legs"]]
    assert legs == [("expand", before, expand), ("contract", expand, contract)]
    assert [direction["what"] for direction in outcome.report["directions"]] == [
        f"the checked-out code on the schema before {contract}"
    ]


def test_deployed_code_that_the_new_schema_breaks_is_caught(project: Project, place: Path) -> None:
    git = ("git", "-C", str(project.root), "-c", "user.name=Test", "-c", "user.email=test@example.com")
    for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "deployed")):
        subprocess.run([*git, *command], check=True)
    project.add("rename", "ALTER TABLE posts RENAME COLUMN body TO text")

    outcome = rehearse(project.root, place, *PATIENT)

    assert outcome.code == 1, outcome.errors
    failed = {fault["request"] for fault in outcome.report["legs"][0]["faults"]}
    assert "read a post" in failed
    trees = subprocess.run([*git, "worktree", "list"], check=True, capture_output=True, text=True).stdout
    assert len(trees.splitlines()) == 1


async def test_the_log_knows_the_locks_that_are_too_short_to_be_sampled(place: Path) -> None:
    with scratch_database(place) as url:
        await execute(url, "CREATE TABLE posts (id int)")
        await prepare(url)
        log = Journal(url)
        await log.open()
        for statement in (
            "CREATE INDEX CONCURRENTLY one ON posts (id)",
            "CREATE INDEX two ON posts (id)",
            "REINDEX TABLE CONCURRENTLY posts",
        ):
            await execute(url.set(username=ROLE), statement)

        found = {each.sql.partition(" posts")[0]: each.locks for each in await log.statements(0) if each.locks}

    assert found == {
        "CREATE INDEX CONCURRENTLY one ON": {"posts": "ShareUpdateExclusiveLock"},
        "CREATE INDEX two ON": {"posts": "ShareLock"},
        "REINDEX TABLE CONCURRENTLY": {"posts": "ShareUpdateExclusiveLock"},
    }


async def test_on_a_copy_what_the_migration_does_is_sampled(project: Project, place: Path, template: URL) -> None:
    deployed = project.head
    # Slow by itself, row by row: the sampler of a busy machine may miss a short one.
    project.add("column type", LANGUAGE, f"{NAIVE['column type']} USING title || pg_sleep(0.0015)::text")
    async with Clone(template) as url:
        where = url.render_as_string(hide_password=False)
        arguments = ("--code", "checkout", "--from", deployed, "--url", where, *PATIENT, "--max-stall", "1")
        outcome = await asyncio.to_thread(finish, start(project.root, place, *arguments))

    assert outcome.code == 1, outcome.errors
    statements = outcome.report["legs"][0]["statements"]
    assert ("posts", "AccessExclusiveLock") in {
        (lock["table"], lock["mode"]) for s in statements for lock in s["locks"]
    }
    assert [table for statement in statements for table in statement["rewrote"]] == ["posts"]
    assert max(lock["longest_wait"] for statement in statements for lock in statement["locks"]) > 1


@pytest.mark.parametrize(
    ("moment", "signal_"),
    [("starting", signal.SIGINT), ("requests a second", signal.SIGTERM), ("migrating", signal.SIGINT)],
)
def test_interrupted_at_any_moment_it_leaves_nothing_behind(
    project: Project, place: Path, moment: str, signal_: signal.Signals
) -> None:
    before = project.head
    project.add("language", LANGUAGE, "SELECT pg_sleep(60)")
    process = start(project.root, place, "--code", "checkout", "--from", before, *PATIENT)
    assert process.stderr
    for line in process.stderr:
        if moment in line:
            break

    process.send_signal(signal_)

    process.communicate(timeout=60)
    assert process.returncode not in (0, 1, 2)
