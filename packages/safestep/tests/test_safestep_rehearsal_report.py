"""What a report makes of what was measured: percentiles, periods, stalls, tables for a terminal, plots."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.latency import Timeline, by_period, percentile, summary
from safestep.rehearsal.load import RequestResult
from safestep.rehearsal.plan import Leg
from safestep.rehearsal.plot import must_be_drawable, write_plot
from safestep.rehearsal.report import CompatibilityResult, LegReport, RehearsalReport
from safestep.rehearsal.statements import StatementReport, TableLock
from safestep.rehearsal.terminal import print_report

LEG = Leg("expand", "one", "two", ("two",))
TIMELINE = Timeline(opened=10, started=20, ended=30, closed=40)


def request(due: float, seconds: float = 0.01, fault: str | None = None) -> RequestResult:
    return RequestResult(due, seconds, "read a post", fault)


def leg_report(
    results: list[RequestResult], exit_code: int = 0, output: str = "", without_traffic: list[str] | None = None
) -> LegReport:
    locks = [TableLock("posts", "AccessExclusiveLock", 1.5, 1.2)]
    found = [StatementReport("ALTER TABLE posts ADD [x] int", 1.0, 1.5, locks, ["posts"], None)]
    return LegReport(LEG, "the deployed code", TIMELINE, results, found, exit_code, output, without_traffic or [])


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


def test_a_summary_counts_failures_and_name_the_longest() -> None:
    found = summary([request(0, 0.1), request(0, 0.3, "503"), request(0, 0.2)])

    assert (found.requests, found.failed, found.p50, found.p99, found.longest) == (3, 1, 0.2, 0.3, 0.3)


def test_a_request_under_way_when_the_migration_starts_belongs_to_it() -> None:
    periods = by_period([request(9), request(15), request(19, 2), request(25), request(30), request(31)], TIMELINE)

    assert {name: [each.due for each in results] for name, results in periods.items()} == {
        "before": [15],
        "during": [19, 25, 30],
        "after": [31],
    }


def test_a_report_passes_without_failures_and_stalls() -> None:
    report = RehearsalReport(
        rate=50, max_stall=1, legs=[leg_report([request(15, 3), request(25, 0.9), request(35, 0.2)])]
    )

    assert report.reasons == []
    assert json.loads(report.as_json())["passed"] is True


@pytest.mark.parametrize(
    ("leg", "reason"),
    [
        (leg_report([request(25, 1.5)]), "a request took 1.50 s, more than 1 s"),
        (leg_report([request(35, 1.5)]), "a request took 1.50 s, more than 1 s"),
        (leg_report([request(15, 0.1, "500 internal")]), "1 of 1 requests to the deployed code failed"),
        (leg_report([request(25)], 1, "a\nlock timeout\n"), "the migration to two failed: lock timeout"),
        (leg_report([request(25)], 1), "the migration to two failed: it says nothing"),
    ],
)
def test_a_report_says_why_it_failed(leg: LegReport, reason: str) -> None:
    report = RehearsalReport(rate=50, max_stall=1, legs=[leg])

    assert report.reasons == [reason]
    assert json.loads(report.as_json())["reasons"] == [reason]


def test_incompatible_versions_fail_the_report() -> None:
    report = RehearsalReport(
        rate=50, max_stall=1, compatibility=[CompatibilityResult("the old on the new", 3, ["read: 500"])]
    )

    assert report.reasons == ["the old on the new: 1 of 3 requests failed"]


def test_the_tables_show_locks_rewrites_and_reasons() -> None:
    console = Console(width=200, record=True, file=StringIO())
    report = RehearsalReport(
        50,
        1,
        legs=[leg_report([request(25, 2, "503 [busy]")], without_traffic=["quiet"])],
        compatibility=[CompatibilityResult("both", 1, [])],
        notes=["n"],
    )

    print_report(report, console)

    text = console.export_text()
    for part in (
        "posts: ACCESS EXCLUSIVE, 1,500 ms",
        "ADD [x] int",
        "1,200 ms",
        "503 [busy]",
        "both",
        "without traffic, so nothing is shown of them: quiet",
        "note: n",
        "failed: ",
    ):
        assert part in text


def test_a_plot_is_well_formed_and_marks_statements(tmp_path: Path) -> None:
    file = tmp_path / "out.svg"

    write_plot(RehearsalReport(50, 1, legs=[leg_report([request(15), request(25, 2, "503"), request(35)])] * 2), file)

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
    write_plot(RehearsalReport(50, 1, legs=[leg_report([request(25, 2)])]), file)

    assert file.read_bytes().startswith(b"\x89PNG")


def test_a_plot_of_another_kind_is_refused_before_the_work() -> None:
    must_be_drawable(None)
    with pytest.raises(RehearsalError, match=r"\.svg"):
        must_be_drawable(Path("out.gif"))


def test_an_error_of_the_sql_is_told_instead_of_the_link_behind_it() -> None:
    error = 'sqlalchemy.exc.DataError: (DataError) invalid input syntax for type integer: "ada"'
    output = f"Traceback:\n{error}\n[SQL: SELECT 1]\n(Background on this error at: https://sqlalche.me/e/21/9h9h)"
    leg = leg_report([request(25)], exit_code=1, output=output)
    shown = 'sqlalchemy.exc.DataError: (DataError) invalid input syntax for type integer: "…"'
    assert leg.failure == shown
    known = StatementReport("SELECT 1", 1.0, 1.5, [], [], "division by zero")
    assert replace(leg, statements=[known]).failure == "division by zero"
