"""What a rehearsal makes of what it measured: percentiles, phases, stalls, and whose lock it was."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from safestep.rehearsal.client import Answer, Client
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.figures import Window, by_phase, figures, percentile
from safestep.rehearsal.findings import Finding, Held, findings, from_sightings
from safestep.rehearsal.journal import Statement, Table, read
from safestep.rehearsal.load import Load, Sample, attempt
from safestep.rehearsal.mix import Kind, Requests, Rows, chosen
from safestep.rehearsal.plan import Leg
from safestep.rehearsal.plot import must_be_drawable, write_plot
from safestep.rehearsal.report import Direction, LegResult, Report
from safestep.rehearsal.show import show
from safestep.rehearsal.watch import ROLE, Seen, Sightings, Span, Wait

LEG = Leg("expand", "one", "two", ("two",))
WINDOW = Window(opened=10, started=20, ended=30, closed=40)


def sample(due: float, seconds: float = 0.01, fault: str | None = None) -> Sample:
    return Sample(due, seconds, "read a post", fault)


def result(samples: list[Sample], exit_code: int = 0, output: str = "") -> LegResult:
    locks = [Held("posts", "AccessExclusiveLock", 1.5, 1.2)]
    found = [Finding("ALTER TABLE posts ADD [x] int", 1.0, 1.5, locks, ["posts"], None)]
    return LegResult(LEG, "the deployed code", WINDOW, samples, found, exit_code, output)


@pytest.mark.parametrize(
    ("values", "part", "expected"),
    [
        ([], 0.99, 0),
        ([3], 0.5, 3),
        ([1, 2, 3, 4], 0.5, 2),
        (list(range(1, 101)), 0.99, 99),
        ([1, 2], 1, 2),
        ([1, 2], 0, 1),
    ],
)
def test_a_percentile_is_one_of_the_values(values: list[float], part: float, expected: float) -> None:
    assert percentile(values, part) == expected


def test_figures_count_failures_and_name_the_longest() -> None:
    found = figures([sample(0, 0.1), sample(0, 0.3, "503"), sample(0, 0.2)])

    assert (found.requests, found.failed, found.p50, found.p99, found.longest) == (3, 1, 0.2, 0.3, 0.3)


def test_a_request_under_way_when_the_migration_starts_belongs_to_it() -> None:
    phases = by_phase([sample(9), sample(15), sample(19, 2), sample(25), sample(30), sample(31)], WINDOW)

    assert {name: [each.due for each in samples] for name, samples in phases.items()} == {
        "before": [15],
        "during": [19, 25, 30],
        "after": [31],
    }


def test_a_report_passes_without_failures_and_stalls() -> None:
    report = Report(rate=50, max_stall=1, legs=[result([sample(15, 3), sample(25, 0.9), sample(35, 0.2)])])

    assert report.reasons == []
    assert json.loads(report.as_json())["passed"] is True


@pytest.mark.parametrize(
    ("leg", "reason"),
    [
        (result([sample(25, 1.5)]), "a request took 1.50 s, more than 1 s"),
        (result([sample(35, 1.5)]), "a request took 1.50 s, more than 1 s"),
        (result([sample(15, 0.1, "500 internal")]), "1 of 1 requests to the deployed code failed"),
        (result([sample(25)], 1, "a\nlock timeout\n"), "the migration to two failed: lock timeout"),
        (result([sample(25)], 1), "the migration to two failed: it says nothing"),
    ],
)
def test_a_report_says_why_it_failed(leg: LegResult, reason: str) -> None:
    report = Report(rate=50, max_stall=1, legs=[leg])

    assert report.reasons == [reason]
    assert json.loads(report.as_json())["reasons"] == [reason]


def test_a_direction_that_failed_fails_the_report() -> None:
    report = Report(rate=50, max_stall=1, directions=[Direction("the old on the new", 3, ["read: 500"])])

    assert report.reasons == ["the old on the new: 1 of 3 requests failed"]


def test_the_tables_show_locks_rewrites_and_reasons() -> None:
    console = Console(width=200, record=True, file=StringIO())
    report = Report(
        50, 1, legs=[result([sample(25, 2, "503 [busy]")])], directions=[Direction("both", 1, [])], notes=["n"]
    )

    show(report, console)

    text = console.export_text()
    for part in (
        "posts: ACCESS EXCLUSIVE, 1,500 ms",
        "ADD [x] int",
        "1,200 ms",
        "503 [busy]",
        "both",
        "note: n",
        "failed: ",
    ):
        assert part in text


def entry(pid: int, at: float, message: str, **fields: object) -> str:
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return json.dumps({"timestamp": f"{stamp} UTC", "user": ROLE, "pid": pid, "message": message, **fields})


def note(pid: int, at: float, locks: list[tuple[int, str]], files: dict[int, int]) -> str:
    return entry(pid, at, f"postern-rehearsal {json.dumps({'locks': locks, 'files': files, 'indexed': None})}")


def test_the_log_tells_statements_their_locks_and_when_they_are_released() -> None:
    tables = {7: Table("posts", 70), 8: Table("users", 80)}
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


def test_findings_join_the_log_with_what_was_sampled() -> None:
    statements = from_sightings(
        [
            Seen(1, "ALTER TABLE posts ADD x int", 1.0, 1.1, 5.0, 3.0),
            Seen(1, "UPDATE posts SET x = 1", 1.2, 2.9, 5.0, 3.0),
            Seen(1, "SELECT 1", 3.5, 3.51, None, 3.51),
        ]
    )
    sightings = Sightings(
        spans=[
            Span(1, "posts", "AccessExclusiveLock", 1.05, 3.0, granted=1.3),
            Span(1, "posts", "RowExclusiveLock", 1.25, 3.0, granted=1.25),
            Span(9, "posts", "ShareLock", 1.0, 2.0, granted=1.0),
        ],
        waits=[Wait(2.0, "posts", 0.9), Wait(2.5, "posts", 0.4), Wait(9.0, "posts", 7.0)],
        rewritten=[(3.1, "posts")],
    )

    alter, update = findings(statements, sightings, started=0.5)

    assert (alter.at, alter.locks) == (0.5, [Held("posts", "AccessExclusiveLock", pytest.approx(1.7), 0.9)])
    assert (alter.longest_wait, update.locks, update.rewrote) == (0.9, [], ["posts"])


def test_a_wait_is_put_down_to_the_strongest_lock_that_is_held() -> None:
    weak = Statement(1, "CREATE INDEX i ON posts (x)", 1.0, 1.5, 3.0, {"posts": "ShareLock"})
    strong = Statement(1, "ALTER TABLE posts ADD x int", 1.6, 1.7, 3.0, {"posts": "AccessExclusiveLock"})

    found = findings([weak, strong], Sightings(waits=[Wait(2.0, "posts", 0.9), Wait(1.2, "posts", 0.1)]), started=0.0)

    assert [finding.longest_wait for finding in found] == [0.1, 0.9]


def test_a_plot_is_well_formed_and_marks_statements(tmp_path: Path) -> None:
    file = tmp_path / "out.svg"

    write_plot(Report(50, 1, legs=[result([sample(15), sample(25, 2, "503"), sample(35)])] * 2), file)

    root = ET.parse(file).getroot()
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "ALTER TABLE posts ADD [x] int [posts AccessExclusiveLock]" in titles
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 6
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "1  ALTER TABLE posts ADD [x] int [posts AccessExclusiveLock]" in texts
    assert "0 s" in texts


def test_a_plot_can_be_a_png(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    file = tmp_path / "out.png"

    must_be_drawable(file)
    write_plot(Report(50, 1, legs=[result([sample(25, 2)])]), file)

    assert file.read_bytes().startswith(b"\x89PNG")


def test_a_plot_of_another_kind_is_refused_before_the_work() -> None:
    must_be_drawable(None)
    with pytest.raises(RehearsalError, match=r"\.svg"):
        must_be_drawable(Path("out.gif"))


async def _served(answers: Callable[[bytes], bytes], kind: Kind) -> Sample:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers(await reader.readuntil(b"\r\n\r\n")))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        client = Client(server.sockets[0].getsockname()[1], 2, timeout=5)
        try:
            return await attempt(kind, Requests(client, {"paths": {}}, Rows(deque(), deque(), "secret")))
        finally:
            client.close()


READ = Kind("read", 1, "", lambda requests: requests.get("/x"))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", None),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", None),
        (b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", None),
        (b'HTTP/1.1 503 Gone\r\ncontent-length: 16\r\n\r\n{"code": "away"}', "503 away"),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 4\r\n\r\noops", "500 oops"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "IncompleteReadError"),
        (b"", "IncompleteReadError"),
    ],
)
async def test_every_answer_but_a_whole_success_is_a_fault(answer: bytes, fault: str | None) -> None:
    found = await _served(lambda head: answer if b"Bearer secret" in head else b"", READ)

    assert (found.fault or "").startswith(fault or "")
    assert (found.fault is None) == (fault is None)


async def test_a_stall_makes_requests_late_and_never_fewer() -> None:
    """The answers stop; what was due meanwhile is counted from when it was due."""
    gate, sent = asyncio.Event(), asyncio.Event()
    due = 0

    async def held(_requests: Requests) -> Answer:
        nonlocal due
        due += 1
        if due == 20:
            sent.set()
        await gate.wait()
        return Answer(200, {}, b"")

    load = Load(Requests.__new__(Requests), chosen([Kind("held", 1, "", held)]), rate=1000)
    await load.start()
    await sent.wait()
    assert load.samples == []
    gate.set()
    await load.stop()

    assert len(load.samples) >= 20
    ordered = sorted(load.samples, key=lambda each: each.due)
    assert [after.due - before.due for before, after in pairwise(ordered)] == pytest.approx(
        [0.001] * (len(ordered) - 1)
    )
    assert ordered[0].seconds > ordered[19].seconds
