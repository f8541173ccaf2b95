"""The command `ladder`: a run's processor times as a Markdown table, from the driver alone upwards."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.compare.contenders import TITLES
from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.workloads import WORKLOADS

PHASE = "one worker"


def ladder(
    file: Annotated[Path, typer.Argument(help="What `run --json` wrote.")],
    ask: Annotated[str, typer.Option(help=f"Workloads: {', '.join(WORKLOADS)}.")] = "user,post,list,create",
) -> None:
    """Print the processor time of a request in µs, as a Markdown table: medians, ± the largest deviation."""
    try:
        run: dict[str, Any] = json.loads(file.read_text())
        found = {
            (each["contender"], each["workload"]): each["cpu_us"] for each in run["summaries"] if each["phase"] == PHASE
        }
    except (OSError, ValueError, KeyError) as error:
        raise BenchmarkError(f"{file} is no file of `run --json`: {error}") from error
    workloads = [name for name in ask.split(",") if name in WORKLOADS]
    names = {name for name, _ in found}
    typer.echo("| | " + " | ".join(WORKLOADS[name].title for name in workloads) + " |")
    typer.echo("|---|" + "---:|" * len(workloads))
    for name in sorted(names, key=lambda name: found.get((name, workloads[0]), {}).get("median", 0)):
        cells = (_cell(found.get((name, workload))) for workload in workloads)
        typer.echo(f"| {TITLES.get(name, name)} | " + " | ".join(cells) + " |")


def _cell(cpu: dict[str, float] | None) -> str:
    if cpu is None:
        return "-"
    deviation = max(cpu["most"] - cpu["median"], cpu["median"] - cpu["least"]) / cpu["median"]
    return f"{cpu['median']:,.0f} ±{deviation:.0%}"
