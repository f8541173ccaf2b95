"""The command `profile`: where the microseconds of a request go."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.compare.commands.run import WIDTH
from benchmarks.compare.contenders import services
from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.flame import write_flame_graph
from benchmarks.compare.plan import Plan, one_worker
from benchmarks.compare.profiling import Profile, by_package, profile_of, sampled
from benchmarks.compare.rows import Size
from benchmarks.compare.stage import stage
from benchmarks.compare.subjects import Served, started
from benchmarks.compare.workloads import WORKLOADS

SIZE = Size(1000, 20_000)
CONNECTIONS = 8
LEAST = 0.005
"""Share of the time below which a package isn't listed."""


def profile(
    ask: Annotated[str, typer.Option(help=f"Workloads: {', '.join(WORKLOADS)}.")] = "post,create",
    seconds: Annotated[float, typer.Option(help="Of each profile.", min=1, max=600)] = 10.0,
    folder: Annotated[Path, typer.Option(help="Where the flame graphs are written: profile-WORKLOAD.svg.")] = Path(),
    service: Annotated[str | None, typer.Option(help="Another checkout, DIR[,NAME=VALUE…].")] = None,
) -> None:
    """Sample the service's stacks under load: a table by package, and a flame graph of each workload."""
    chosen = [WORKLOADS[name] for name in ask.split(",") if name in WORKLOADS]
    if not chosen or not folder.is_dir():
        raise BenchmarkError(f"name workloads ({', '.join(WORKLOADS)}) and a folder that exists")
    plan = Plan(SIZE, 1, seconds, 1.0, CONNECTIONS, chosen, ())
    console = Console(width=WIDTH)
    with stage() as prepared, tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        file = Path(scratch) / "stacks"
        [(contender, url)] = prepared.copies(services([service] if service else []), SIZE)
        with started(plan, one_worker(), [(sampled(contender, file), url)], prepared.generator) as [subject]:
            assert isinstance(subject, Served)  # noqa: S101 - a service always is
            for workload in chosen:
                found = profile_of(subject, workload, file)
                console.print(_table(workload.title, found))
                graph = folder / f"profile-{workload.name}.svg"
                write_flame_graph(found, workload.title, graph)
                console.print(f"flame graph: {graph}")


def _table(title: str, profile: Profile) -> Table:
    table = Table(title=f"{title}: {profile.cpu:,.0f} µs of processor time a request", title_justify="left")
    for name in ("", "µs", "share"):
        table.add_column(name, justify="right" if name else "left")
    packages = by_package(profile)
    for name, share in packages:
        if share >= LEAST:
            table.add_row(name, f"{share * profile.cpu:,.0f}", f"{share:.0%}")
    return table
