"""The report as tables for a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from safestep.rehearsal.findings import Finding
from safestep.rehearsal.report import Direction, LegResult, Report

LONGEST_SQL = 70
SHOWN_FAULTS = 5


def show(report: Report, console: Console) -> None:
    for result in report.legs:
        console.print(_phases(result))
        console.print(_statements(result))
        for sample in result.faults[:SHOWN_FAULTS]:
            console.print(f"  {sample.due - result.window.started:+.2f} s {sample.kind}: {escape(sample.fault or '')}")
    if report.directions:
        console.print(_directions(report.directions))
    for note in report.notes:
        console.print(f"note: {escape(note)}")
    for reason in report.reasons:
        console.print(f"failed: {escape(reason)}")
    if not report.reasons:
        console.print(f"passed: no failed request, no stall above {report.max_stall:g} s")


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _phases(result: LegResult) -> Table:
    table = Table(
        title=f"{result.leg.start} → {result.leg.target} ({result.leg.phase}) under {result.code}", title_justify="left"
    )
    for name in ("", "requests", "failed", "p50", "p99", "longest"):
        table.add_column(name, justify="right" if name else "left")
    for phase, figures in result.phases.items():
        times = map(milliseconds, (figures.p50, figures.p99, figures.longest))
        table.add_row(phase, str(figures.requests), str(figures.failed), *times)
    return table


def _statements(result: LegResult) -> Table:
    table = Table(title="what it did", title_justify="left")
    for name in ("at", "statement", "took", "strongest lock, held", "rewrote", "longest wait"):
        table.add_column(name, justify="right" if name in ("at", "took", "longest wait") else "left", overflow="fold")
    for finding in result.findings:
        wait = milliseconds(finding.longest_wait) if finding.longest_wait else "-"
        table.add_row(
            f"{finding.at:.2f} s",
            _sql(finding),
            milliseconds(finding.seconds),
            "\n".join(f"{lock.table}: {_spaced(lock.mode)}, {milliseconds(lock.seconds)}" for lock in finding.locks)
            or "-",
            ", ".join(finding.rewrote) or "-",
            wait,
        )
    return table


def _sql(finding: Finding) -> str:
    line = " ".join(finding.sql.split())
    shown = escape(line if len(line) <= LONGEST_SQL else f"{line[: LONGEST_SQL - 1]}…")
    return f"{shown}\nfailed: {escape(finding.fault)}" if finding.fault else shown


def _spaced(mode: str) -> str:
    """AccessExclusiveLock -> ACCESS EXCLUSIVE"""
    return "".join(f" {letter}" if letter.isupper() else letter.upper() for letter in mode.removesuffix("Lock")).strip()


def _directions(directions: list[Direction]) -> Table:
    table = Table(title="both versions", title_justify="left")
    for name in ("", "requests", "failed"):
        table.add_column(name, justify="right" if name else "left")
    for direction in directions:
        table.add_row(
            "\n".join([direction.what, *map(escape, direction.faults[:SHOWN_FAULTS])]),
            str(direction.requests),
            str(len(direction.faults)),
        )
    return table
