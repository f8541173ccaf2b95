"""Whose lock it was: the server's log and what was sampled, put together."""

import json
from datetime import UTC, datetime

import pytest
from safestep.rehearsal.activity import ROLE, Activity, ObservedLock, ObservedStatement, ObservedWait
from safestep.rehearsal.server_log import ExecutedStatement, TableFile, read
from safestep.rehearsal.statements import TableLock, from_activity, statement_reports


def entry(pid: int, at: float, message: str, **fields: object) -> str:
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return json.dumps({"timestamp": f"{stamp} UTC", "user": ROLE, "pid": pid, "message": message, **fields})


def note(pid: int, at: float, locks: list[tuple[int, str]], files: dict[int, int]) -> str:
    return entry(pid, at, f"safestep-rehearsal {json.dumps({'locks': locks, 'files': files, 'indexed': None})}")


def test_the_log_tells_statements_their_locks_and_when_they_are_released() -> None:
    tables = {7: TableFile("posts", 70), 8: TableFile("users", 80)}
    lines = [
        entry(1, 100.0, "duration: 0.1 ms  statement: BEGIN;"),
        entry(1, 100.1, "duration: 10.0 ms  parse s1: ALTER TABLE posts\n ADD x int"),
        note(1, 101.0, [(7, "AccessExclusiveLock"), (99, "ShareLock")], {7: 71, 8: 80}),
        entry(1, 101.0, "duration: 900.0 ms  execute s1: ALTER TABLE posts\n ADD x int"),
        note(1, 102.0, [(7, "AccessExclusiveLock"), (8, "ShareLock")], {7: 71, 8: 80}),
        entry(1, 102.0, "duration: 500.0 ms  statement: CREATE INDEX i ON users (x)"),
        entry(1, 103.0, "duration: 1.0 ms  statement: COMMIT"),
        entry(2, 104.0, "canceling statement due to lock timeout", error_severity="ERROR", statement="LOCK posts"),
        json.dumps(
            {"timestamp": "2026-01-01 00:00:00.000 UTC", "user": "postgres", "pid": 3, "message": "duration: 1 ms"}
        ),
    ]

    _, alter, index, _, failed = read(lines, tables, offset=-100)

    assert (alter.sql, alter.locks, alter.rewrote) == (
        "ALTER TABLE posts\n ADD x int",
        {"posts": "AccessExclusiveLock"},
        ["posts"],
    )
    assert (alter.began, alter.ended, alter.released) == pytest.approx((0.09, 1.0, 3.0))
    assert (index.locks, index.rewrote) == ({"users": "ShareLock"}, [])
    assert failed.fault == "canceling statement due to lock timeout"


def test_statements_join_the_log_with_what_was_sampled() -> None:
    statements = from_activity(
        [
            ObservedStatement(1, "ALTER TABLE posts ADD x int", 1.0, 1.1, 5.0, 3.0),
            ObservedStatement(1, "UPDATE posts SET x = 1", 1.2, 2.9, 5.0, 3.0),
            ObservedStatement(1, "SELECT 1", 3.5, 3.51, None, 3.51),
        ]
    )
    activity = Activity(
        locks=[
            ObservedLock(1, "posts", "AccessExclusiveLock", 1.05, 3.0, granted=1.3),
            ObservedLock(1, "posts", "RowExclusiveLock", 1.25, 3.0, granted=1.25),
            ObservedLock(9, "posts", "ShareLock", 1.0, 2.0, granted=1.0),
        ],
        waits=[ObservedWait(2.0, "posts", 0.9), ObservedWait(2.5, "posts", 0.4), ObservedWait(9.0, "posts", 7.0)],
        rewritten=[(3.1, "posts")],
    )

    alter, update = statement_reports(statements, activity, started=0.5)

    assert (alter.at, alter.locks) == (0.5, [TableLock("posts", "AccessExclusiveLock", pytest.approx(1.7), 0.9)])
    assert (alter.longest_wait, update.locks, update.rewrote) == (0.9, [], ["posts"])


def test_a_wait_is_put_down_to_the_strongest_lock_that_is_held() -> None:
    weak = ExecutedStatement(1, "CREATE INDEX i ON posts (x)", 1.0, 1.5, 3.0, {"posts": "ShareLock"})
    strong = ExecutedStatement(1, "ALTER TABLE posts ADD x int", 1.6, 1.7, 3.0, {"posts": "AccessExclusiveLock"})

    found = statement_reports(
        [weak, strong], Activity(waits=[ObservedWait(2.0, "posts", 0.9), ObservedWait(1.2, "posts", 0.1)]), started=0.0
    )

    assert [statement.longest_wait for statement in found] == [0.1, 0.9]


def test_a_later_statement_on_a_table_shows_the_lock_too() -> None:
    held = [(7, "AccessExclusiveLock")]
    lines = [
        entry(1, 100.0, "duration: 0.1 ms  statement: BEGIN;"),
        changing(1, 101.0, held, [7]),
        entry(1, 101.0, "duration: 10.0 ms  statement: ALTER TABLE posts ADD x int"),
        changing(1, 102.0, held, [7]),
        entry(1, 102.0, "duration: 10.0 ms  statement: ALTER TABLE posts ADD y int"),
        changing(1, 103.0, held, []),
        entry(1, 103.0, "duration: 10.0 ms  statement: CREATE TABLE tags ()"),
    ]

    _, first, second, other = read(lines, {7: TableFile("posts", 70)}, offset=0)

    assert first.locks == second.locks == {"posts": "AccessExclusiveLock"}
    assert other.locks == {}


def changing(pid: int, at: float, locks: list[tuple[int, str]], changed: list[int]) -> str:
    noted = {"locks": locks, "files": {}, "indexed": None, "changed": changed}
    return entry(pid, at, f"safestep-rehearsal {json.dumps(noted)}")


@pytest.mark.parametrize(
    ("state", "message", "shown"),
    [
        ("22P02", 'invalid input syntax for type integer: "ada"', 'invalid input syntax for type integer: "…"'),
        ("42P01", 'relation "tags" does not exist', 'relation "tags" does not exist'),
        ("P0001", "ada@example.com is odd", "an exception that the SQL raises (P0001)"),
    ],
)
def test_an_error_is_shown_without_values(state: str, message: str, shown: str) -> None:
    line = entry(1, 100.0, message, error_severity="ERROR", statement="SELECT 1", state_code=state)
    (failed,) = read([line], {}, offset=0)
    assert failed.fault == shown
