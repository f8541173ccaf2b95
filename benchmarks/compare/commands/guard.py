"""The command `guard`: whether requests have become dearer than the committed baseline says."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.compare.guarding import count_calls, cpu_ratios, verdicts
from benchmarks.compare.stage import Stage, stage

BASELINE = Path(__file__).parents[2] / "baseline.json"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"  # others call other functions
CALLS, CPU = f"calls_on_python_{PYTHON}", "cpu_ratio_to_bare"
MORE_CALLS, MORE_CPU = 0.05, 0.15
ATTEMPTS = 3

type Figures = dict[str, float]
"""Of each workload."""


def guard(
    update: Annotated[bool, typer.Option("--update", help="Write what is measured into the baseline.")] = False,
    cpu: Annotated[
        bool, typer.Option("--cpu", help="Compare processor time too, as a ratio to bare ASGI: on a quiet machine.")
    ] = False,
) -> None:
    """Compare what a request costs with benchmarks/baseline.json; the exit code is 1 when it has risen too far.

    Counts the functions that a request calls, which depends on no clock and no load; more than +5 % fails. With --cpu
    also processor time, as a ratio to that of bare ASGI in the same round; more than +15 % in the best of three
    attempts fails.
    """
    known: dict[str, Figures] = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    with stage() as prepared:
        passed = _judge(CALLS, count_calls(prepared), known, MORE_CALLS, update=update)
        passed &= not cpu or _judge_cpu(prepared, known, update=update)
    if update:
        BASELINE.write_text(json.dumps(known, indent=2) + "\n")
    elif not passed:
        typer.echo("Requests have become dearer. If that is worth it: make bench-guard ARGS=--update", err=True)
        raise typer.Exit(1)


def _judge_cpu(prepared: Stage, known: dict[str, Figures], *, update: bool) -> bool:
    """By the best of a few attempts: whatever else runs on the machine makes the ratio larger, never smaller."""
    best: Figures = {}
    for _ in range(ATTEMPTS):
        found = cpu_ratios(prepared)
        best = {workload: min(ratio, best.get(workload, ratio)) for workload, ratio in found.items()}
        if not update and _judge(CPU, best, known, MORE_CPU, update=False):
            return True
    return _judge(CPU, best, known, MORE_CPU, update=update)


def _judge(measure: str, found: Figures, known: dict[str, Figures], limit: float, *, update: bool) -> bool:
    """Whether nothing has risen by more than the limit; with `update` it becomes what is known, and passes."""
    if update:
        known[measure] = found
    judged = list(verdicts(found, known.get(measure, {}), limit))
    for verdict in judged:
        typer.echo(f"{measure}: {verdict}")
    return all(verdict.passed for verdict in judged)
