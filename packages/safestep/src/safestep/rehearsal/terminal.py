"""The report as tables for a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from safestep.rehearsal.report import CompatibilityResult, LegReport, RehearsalReport
from safestep.rehearsal.statements import StatementReport

LONGEST_SQL = 70
SHOWN_FAULTS = 5


def print_report(report: RehearsalReport, console: Console) -> None:
    for leg in report.legs:
        console.print(_periods(leg))
        console.print(_statements(leg))
        for result in leg.faults[:SHOWN_FAULTS]:
            at = result.due - leg.timeline.started
            console.print(f"  {at:+.2f} s {escape(result.request)}: {escape(result.fault or '')}")
        if leg.tables_without_traffic:
            console.print(f"without traffic, so nothing is shown of them: {', '.join(leg.tables_without_traffic)}")
    if report.compatibility:
        console.print(_compatibility(report.compatibility))
    for note in report.notes:
        console.print(f"note: {escape(note)}")
    for reason in report.reasons:
        console.print(f"failed: {escape(reason)}")
    if not report.reasons:
        console.print(f"passed: no failed request, no stall above {report.max_stall:g} s")


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _periods(report: LegReport) -> Table:
    leg = report.leg
    table = Table(title=f"{leg.start} → {leg.target} ({leg.phase}) under {report.code}", title_justify="left")
    for name in ("", "requests", "failed", "p50", "p99", "longest"):
        table.add_column(name, justify="right" if name else "left")
    for period, latency in report.periods.items():
        times = map(milliseconds, (latency.p50, latency.p99, latency.longest))
        table.add_row(period, str(latency.requests), str(latency.failed), *times)
    return table


def _statements(report: LegReport) -> Table:
    table = Table(title="what it did", title_justify="left")
    for name in ("at", "statement", "took", "strongest lock, held", "rewrote", "longest wait"):
        table.add_column(name, justify="right" if name in ("at", "took", "longest wait") else "left", overflow="fold")
    for statement in report.statements:
        locks = (f"{lock.table}: {_spaced(lock.mode)}, {milliseconds(lock.seconds)}" for lock in statement.locks)
        table.add_row(
            f"{statement.at:.2f} s",
            _sql(statement),
            milliseconds(statement.seconds),
            "\n".join(locks) or "-",
            ", ".join(statement.rewrote) or "-",
            milliseconds(statement.longest_wait) if statement.longest_wait else "-",
        )
    return table


def _sql(statement: StatementReport) -> str:
    line = " ".join(statement.sql.split())
    shown = escape(line if len(line) <= LONGEST_SQL else f"{line[: LONGEST_SQL - 1]}…")
    return f"{shown}\nfailed: {escape(statement.fault)}" if statement.fault else shown


def _spaced(mode: str) -> str:
    """AccessExclusiveLock -> ACCESS EXCLUSIVE"""
    return "".join(f" {letter}" if letter.isupper() else letter.upper() for letter in mode.removesuffix("Lock")).strip()


def _compatibility(results: list[CompatibilityResult]) -> Table:
    table = Table(title="both versions", title_justify="left")
    for name in ("", "requests", "failed"):
        table.add_column(name, justify="right" if name else "left")
    for result in results:
        what = "\n".join([result.what, *map(escape, result.faults[:SHOWN_FAULTS])])
        table.add_row(what, str(result.requests), str(len(result.faults)))
    return table
