"""Rehearsals through the command, small: a real server, a service under traffic, a migration in the middle."""

import asyncio
import signal
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest
from safestep.connections import execute
from safestep.rehearsal.activity import ROLE
from safestep.rehearsal.leftovers import PROCESSES, clear
from safestep.rehearsal.scratch import scratch_database
from safestep.rehearsal.server_log import ServerLog, prepare
from safestep.scratch import ScratchDatabase
from safestep_support.notes import Notes, finish, rehearse, start
from sqlalchemy.engine import URL

CHECKOUT = ("--code", "checkout", "--from", "notes")
QUICK = ("--rows", "2000", "--rate", "50", "--warm-up", "1", "--before", "1.5", "--after", "0.5")
# Where a stall isn't the question, a busy machine mustn't become one.
LENIENT = (*QUICK, "--max-stall", "20")
LANGUAGE = "ALTER TABLE notes ADD COLUMN language text DEFAULT 'en'"


def test_five_lines_of_profile_do_for_a_service(notes: Notes) -> None:
    notes.add("language", LANGUAGE)

    outcome = rehearse(notes.project, *CHECKOUT, *LENIENT)

    assert outcome.code == 0, outcome.errors
    [leg] = outcome.report["legs"]
    assert leg["periods"]["before"]["requests"] > 50
    assert locks_of(outcome.statement(LANGUAGE)) == [("notes", "AccessExclusiveLock")]
    assert outcome.report["rows"] == {"notes": 2000}
    assert (leg["tables_without_traffic"], outcome.report["notes"]) == ([], [])


def test_a_table_without_traffic_is_named(notes: Notes) -> None:
    notes.add("archive", "CREATE TABLE archive (id bigint PRIMARY KEY, note bigint REFERENCES notes)")
    notes.add("moved", "ALTER TABLE archive ADD COLUMN text text", after="archive")

    outcome = rehearse(notes.project, "--code", "checkout", "--from", "archive", *LENIENT)

    assert outcome.code == 0, outcome.errors
    assert outcome.report["legs"][0]["tables_without_traffic"] == ["archive"]
    assert "without traffic, so nothing is shown of them: archive" in outcome.errors


def test_naive_forms_are_caught_and_their_locks_named(notes: Notes) -> None:
    # As long as the table of a real service would take, under the lock that the statement took.
    long = "SELECT pg_sleep(0.6)"
    notes.add("index", "CREATE INDEX i ON notes (text)", long)
    notes.add("type", "ALTER TABLE notes ALTER COLUMN text TYPE varchar(190)", long, after="index")

    outcome = rehearse(notes.project, *CHECKOUT, *QUICK, "--max-stall", "0.5")

    assert outcome.code == 1, outcome.errors
    assert not outcome.report["passed"]
    index, retyped = outcome.statement("CREATE INDEX"), outcome.statement("ALTER TABLE")
    assert (locks_of(index), index["rewrote"]) == ([("notes", "ShareLock")], [])
    assert (locks_of(retyped), retyped["rewrote"]) == ([("notes", "AccessExclusiveLock")], ["notes"])
    assert min(index["locks"][0]["seconds"], retyped["locks"][0]["seconds"]) > 0.5
    assert outcome.report["legs"][0]["stall"] > 0.5


def locks_of(statement: dict[str, Any]) -> list[tuple[str, str]]:
    return [(lock["table"], lock["mode"]) for lock in statement["locks"]]


def test_a_contract_runs_under_the_new_code_after_the_expand(notes: Notes) -> None:
    notes.add("language", LANGUAGE)
    notes.add("no_language", "ALTER TABLE notes DROP COLUMN language", phase="contract", after="language")

    outcome = rehearse(notes.project, *CHECKOUT, *LENIENT)

    assert outcome.code == 0, outcome.errors
    legs = [(leg["phase"], leg["from"], leg["to"]) for leg in outcome.report["legs"]]
    assert legs == [("expand", "notes", "language"), ("contract", "language", "no_language")]
    whats = [result["what"] for result in outcome.report["compatibility"]]
    assert whats == ["the checked-out code on the schema before no_language"]


def test_both_versions_are_tried_on_the_new_schema_and_each_others_rows(notes: Notes) -> None:
    deployed = notes.commit()
    notes.add("language", LANGUAGE)

    outcome = rehearse(notes.project, *LENIENT)

    assert outcome.code == 0, outcome.errors
    name = f"the deployed code ({deployed[:12]})"
    # Three requests five times each; the old code also reads the six notes that the new code wrote: one more, when it
    # was asked whether it answers.
    assert [(each["what"], each["requests"]) for each in outcome.report["compatibility"]] == [
        ("the new code on the new schema", 15),
        (f"{name} on the new schema, with rows that the new code wrote", 21),
    ]


def test_deployed_code_that_the_new_schema_breaks_is_caught(notes: Notes) -> None:
    notes.commit()
    notes.add("rename", "ALTER TABLE notes RENAME COLUMN text TO content")

    outcome = rehearse(notes.project, *LENIENT)

    assert outcome.code == 1, outcome.errors
    assert "GET /notes/{id}" in {fault["request"] for fault in outcome.report["legs"][0]["faults"]}
    assert len(notes.git("worktree", "list").splitlines()) == 1


def test_code_that_does_not_fit_its_own_schema_is_not_rehearsed(notes: Notes) -> None:
    service = notes.root / "service.py"
    service.write_text(service.read_text().replace("FROM notes", "FROM elsewhere"))
    notes.add("language", LANGUAGE)

    outcome = rehearse(notes.project, *CHECKOUT, *LENIENT)

    assert outcome.code == 2
    assert "doesn't fit the revision notes, before anything is migrated" in outcome.errors.splitlines()[-1]


async def test_the_log_knows_the_locks_that_are_too_short_to_be_sampled(notes: Notes, scratch_folder: Path) -> None:
    statements = (
        "CREATE INDEX CONCURRENTLY one ON posts (id)",
        "CREATE INDEX two ON posts (id)",
        "REINDEX TABLE CONCURRENTLY posts",
    )
    database = scratch_database(notes.project, scratch_folder)
    url = await asyncio.to_thread(database.__enter__)
    try:
        await execute(url, "CREATE TABLE posts (id int)")
        await prepare(url)
        log = ServerLog(url)
        await log.open()
        for statement in statements:
            await execute(url.set(username=ROLE), statement)
        found = {each.sql.partition(" posts")[0]: each.locks for each in await log.statements(0) if each.locks}
    finally:
        await asyncio.to_thread(database.__exit__, None, None, None)

    assert found == {
        "CREATE INDEX CONCURRENTLY one ON": {"posts": "ShareUpdateExclusiveLock"},
        "CREATE INDEX two ON": {"posts": "ShareLock"},
        "REINDEX TABLE CONCURRENTLY": {"posts": "ShareUpdateExclusiveLock"},
    }


def test_on_a_copy_what_the_migration_does_is_sampled(notes: Notes, server: URL) -> None:
    # Slow by itself, row by row: the sampler of a busy machine may miss a short one.
    slow = "ALTER TABLE notes ALTER COLUMN text TYPE varchar(190) USING text || pg_sleep(0.0015)::text"
    notes.add("type", slow)
    with ScratchDatabase(server) as url:
        where = url.render_as_string(hide_password=False)
        arguments = (*CHECKOUT, "--url", where, *QUICK, "--max-stall", "1")
        outcome = finish(start(notes, notes.root.parent, *arguments))

    assert outcome.code == 1, outcome.errors
    statements = outcome.report["legs"][0]["statements"]
    assert ("notes", "AccessExclusiveLock") in {lock for each in statements for lock in locks_of(each)}
    assert [table for statement in statements for table in statement["rewrote"]] == ["notes"]
    assert max(lock["longest_wait"] for statement in statements for lock in statement["locks"]) > 1


@pytest.mark.parametrize(
    ("moment", "signal_"),
    [("starting", signal.SIGINT), ("requests a second", signal.SIGTERM), ("migrating", signal.SIGINT)],
)
def test_interrupted_at_any_moment_it_leaves_nothing_behind(
    notes: Notes, scratch_folder: Path, moment: str, signal_: signal.Signals
) -> None:
    notes.add("language", LANGUAGE, "SELECT pg_sleep(60)")
    process = start(notes, scratch_folder, *CHECKOUT, *LENIENT)
    assert process.stderr
    for line in process.stderr:
        if moment in line:
            break

    process.send_signal(signal_)

    process.communicate(timeout=60)
    assert process.returncode not in (0, 1, 2)


def test_killed_it_leaves_what_the_next_one_clears_away(
    notes: Notes, scratch_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes.commit()
    notes.add("language", LANGUAGE, "SELECT pg_sleep(60)")
    process = start(notes, scratch_folder, *LENIENT)
    assert process.stderr
    for line in process.stderr:
        if "migrating" in line:
            break
    monkeypatch.setattr(tempfile, "tempdir", str(scratch_folder))
    clear(notes.root)
    [folder] = scratch_folder.glob("safestep-rehearsal-*")  # a rehearsal that is under way is left alone
    deadline = monotonic() + 60
    while not has_noted_migration(folder, "language"):
        assert monotonic() < deadline

    process.kill()
    process.communicate(timeout=60)
    while left := [*scratch_folder.glob("safestep-rehearsal-*")]:
        assert monotonic() < deadline, left
        clear(notes.root)
    assert len(notes.git("worktree", "list").splitlines()) == 1


def has_noted_migration(folder: Path, revision: str) -> bool:
    """Whether the process that migrates to the revision is among those that the next rehearsal would end."""
    processes = psutil.process_iter(["cmdline"])
    return any(
        revision in (process.info["cmdline"] or ()) and (folder / PROCESSES / str(process.pid)).exists()
        for process in processes
    )
