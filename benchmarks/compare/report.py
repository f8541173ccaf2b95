"""The results as tables for a terminal."""

from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.compare.results import Results, Spread, Summary
from benchmarks.compare.workloads import WORKLOADS

MEGABYTE = 1_000_000
COLUMNS = ("requests/s", "p50", "p95", "p99", "longest", "CPU µs", "ratio to {reference}", "database", "generator")


def print_results(results: Results, console: Console) -> None:
    for question, found in groupby(results.summaries_in_order(), key=lambda summary: summary.question):
        title = f"{WORKLOADS[question.workload].title} ({question.phase})"
        console.print(_table(title, results.reference, found))
    if results.memory:
        console.print(_memory(results))
    console.print(
        "Medians of the rounds; ±: the largest deviation. p50 to longest: ms to the answer. "
        "CPU: user and system time of the contender's own processes, in µs a request; ratio: to that of "
        f"{escape(results.reference)} in the same round; database: PostgreSQL's µs a request; generator: the share of "
        "a processor that the load generator used."
    )
    if any(summary.is_limited_by_generator for summary in results.summaries()):
        console.print("! The load generator was busy nearly all of the time: it may be what was measured.")
    for name, reason in results.skipped.items():
        console.print(f"skipped: {escape(name)}: {escape(reason)}")
    for fault in results.faults:
        console.print(f"failed: {escape(fault)}")


def _table(title: str, reference: str, summaries: Iterable[Summary]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name.format(reference=reference), justify="right", no_wrap=True)
    for summary in summaries:
        table.add_row(summary.contender, *_cells(summary))
    return table


def _cells(summary: Summary) -> list[str]:
    generator = "-" if summary.generator is None else f"{summary.generator:.0%}"
    return [
        spread(summary.throughput, 0),
        *(f"{summary.latency(name).median:,.1f}" for name in ("p50", "p95", "p99", "longest")),
        spread(summary.cpu, 0),
        spread(summary.ratio, 2) if summary.ratio else "-",
        "-" if summary.database_cpu is None else f"{summary.database_cpu:.0f}",
        f"{generator} !" if summary.is_limited_by_generator else generator,
    ]


def spread(value: Spread, digits: int) -> str:
    return f"{value.median:,.{digits}f} ±{value.deviation:.0%}"


def _memory(results: Results) -> Table:
    table = Table(title="memory with one worker, after its measurements (MB)", title_justify="left")
    for name in ("", "resident", "its own"):
        table.add_column(name, justify="right" if name else "left")
    for name, (resident, own) in results.memory.items():
        table.add_row(name, f"{resident / MEGABYTE:.0f}", "-" if own is None else f"{own / MEGABYTE:.0f}")
    return table
