"""The command `run`: every contender side by side, in one report."""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.compare import contenders as catalogue
from benchmarks.compare.contenders import Contender
from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.machine import facts
from benchmarks.compare.plan import Phase, Plan, all_processors
from benchmarks.compare.plan import one_worker as single_worker
from benchmarks.compare.plot import must_be_drawable, write_plot
from benchmarks.compare.report import print_results
from benchmarks.compare.results import Results
from benchmarks.compare.rows import Size
from benchmarks.compare.run import Run
from benchmarks.compare.stage import Stage, stage
from benchmarks.compare.workloads import WORKLOADS, Workload

WIDTH = 120  # characters, where no terminal says it
POSTS_OF_A_USER = 10
FULL_ROWS, FULL_ROUNDS, FULL_SECONDS = 1_000_000, 5, 3.0
QUICK_ROWS, QUICK_ROUNDS, QUICK_SECONDS = 20_000, 3, 0.8
WARM_UP = 0.3  # seconds
OPEN_WORKLOADS = ("post", "list")
QUICK_WORKLOADS, QUICK_OPEN_WORKLOADS = "user,post,signed,list,create", ("post",)
QUICK_CONTENDERS = ("driver", "bare", "tutorial")


Quick = Annotated[bool, typer.Option("--quick", help="Fewer rows, rounds and contenders: under two minutes.")]
Rows = Annotated[int | None, typer.Option(help="Posts; a tenth as many users. 1,000,000; quick: 20,000.", min=100)]
Rounds = Annotated[int | None, typer.Option(help="Everybody is measured once in each. 5; quick: 3.", min=1)]
Seconds = Annotated[float | None, typer.Option(help="Of each measurement. 3; quick: 0.8.", min=0.1)]
Connections = Annotated[int, typer.Option(help="How many requests are under way at once.", min=1, max=500)]
Only = Annotated[str | None, typer.Option(help=f"Contenders: service, {', '.join(catalogue.TITLES)}.")]
Ask = Annotated[str | None, typer.Option(help=f"Workloads: {', '.join(WORKLOADS)}.")]
Services = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIR[,NAME=VALUE…]",
        help="A checkout to measure instead of this one, with settings; repeat it to compare side by side.",
    ),
]
OneWorker = Annotated[bool, typer.Option("--one-worker", help="Leave out the measurement on all processors.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write everything that was measured here.")]
PlotFile = Annotated[Path | None, typer.Option(help="Draw the results here: .svg or .png.")]


def run(
    *,
    quick: Quick = False,
    rows: Rows = None,
    rounds: Rounds = None,
    seconds: Seconds = None,
    connections: Connections = 32,
    only: Only = None,
    ask: Ask = None,
    service: Services = None,
    one_worker: OneWorker = False,
    json_file: JsonFile = None,
    plot: PlotFile = None,
) -> None:
    """Measure the contenders in turns, on copies of the same rows, with the same requests.

    PostgreSQL is started in .data/benchmarks, where the rows stay for the next run; BENCH_DATABASE_URL names another
    one, whose role may create databases.
    """
    must_be_drawable(plot)
    plan = Plan(
        size=_size(rows or (QUICK_ROWS if quick else FULL_ROWS)),
        rounds=rounds or (QUICK_ROUNDS if quick else FULL_ROUNDS),
        seconds=seconds or (QUICK_SECONDS if quick else FULL_SECONDS),
        warm_up=WARM_UP,
        connections=connections,
        workloads=_workloads(ask or (QUICK_WORKLOADS if quick else None)),
        open_workloads=QUICK_OPEN_WORKLOADS if quick else OPEN_WORKLOADS,
    )
    services = catalogue.services(service or [])
    asked = _asked_contenders(only, quick, services)
    with ExitStack() as stack:
        prepared = stack.enter_context(stage())
        contenders, skipped = _installed(asked, services, prepared)
        results = Results.of(contenders, facts(prepared.databases, plan), skipped)
        stack.callback(_report, results, json_file, plot)  # whatever ends the run
        _measure(plan, _phases(one_worker or quick), contenders, prepared, results)
    if results.faults:
        raise typer.Exit(1)


def _report(results: Results, json_file: Path | None, plot: Path | None) -> None:
    if not results.windows:
        return
    print_results(results, Console(width=None if sys.stdout.isatty() else WIDTH))
    if json_file:
        json_file.write_text(json.dumps(results.as_json(), indent=1) + "\n")
    if plot:
        write_plot(results, plot)


def _measure(
    plan: Plan, phases: Sequence[Phase], contenders: Sequence[Contender], prepared: Stage, results: Results
) -> None:
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*bar, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("installing contenders and filling tables", total=None)
        copies = prepared.copies(contenders, plan.size)
        run = Run(plan, prepared.databases, prepared.generator, results)
        progress.update(task, total=sum(plan.windows(phase, contenders) for phase in phases))
        for phase in phases:
            progress.update(task, description=f"{phase.name}: starting")
            run.measure(phase, copies, lambda line: progress.update(task, description=line, advance=1))


def _size(posts: int) -> Size:
    users = posts // POSTS_OF_A_USER if posts > QUICK_ROWS else posts // 20
    return Size(max(20, users), posts)


def _workloads(names: str | None) -> list[Workload]:
    return [WORKLOADS[name] for name in _chosen(names, list(WORKLOADS), "--ask")]


def _asked_contenders(only: str | None, quick: bool, services: Sequence[Contender]) -> list[str]:
    names = [each.name for each in services]
    known = [*names, *catalogue.TITLES]
    return _chosen(only, known, "--only") if only or not quick else [*names, *QUICK_CONTENDERS]


def _installed(
    names: Sequence[str], services: Sequence[Contender], prepared: Stage
) -> tuple[list[Contender], dict[str, str]]:
    """Those that can run here, and why others can't."""
    reasons = {name: catalogue.missing(name) for name in names if name in catalogue.TITLES}
    skipped = {name: reason for name, reason in reasons.items() if reason}
    chosen = [each for each in services if each.name in names]
    chosen += [catalogue.baseline(name, prepared.cache) for name in names if name in reasons and name not in skipped]
    if not chosen:
        raise BenchmarkError("nobody is left to measure")
    return chosen, skipped


def _chosen(names: str | None, known: Sequence[str], option: str) -> list[str]:
    chosen = [name.strip() for name in names.split(",")] if names else list(known)
    if unknown := [name for name in chosen if name not in known]:
        raise BenchmarkError(f"{option}: there is no {unknown[0]!r}; choose of {', '.join(known)}")
    return chosen


def _phases(only_one_worker: bool) -> list[Phase]:
    rest = None if only_one_worker else all_processors()
    return [single_worker(), rest] if rest else [single_worker()]
