"""The command around a rehearsal: where it may happen, what it starts and stops, and how its report is told."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from safestep.project import Project
from safestep.rehearsal.configuration import ServiceProfile
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.leftovers import clear
from safestep.rehearsal.plan import RehearsalPlan
from safestep.rehearsal.plot import write_plot
from safestep.rehearsal.report import RehearsalReport
from safestep.rehearsal.run import rehearse
from safestep.rehearsal.scratch import checked_out, scratch_database, temporary_folder
from safestep.rehearsal.terminal import print_report
from safestep.rehearsal.workspace import RehearsalOptions, Workspace

LOG_WIDTH = 140  # columns where there is no terminal
DRIVERS = ("postgresql+asyncpg", "postgresql+psycopg")


def rehearse_here(
    project: Project, profile: ServiceProfile, plan: RehearsalPlan, options: RehearsalOptions, copy: URL | None
) -> RehearsalReport:
    """Raises RehearsalError. Whatever happens, nothing of what was started or written for it stays."""
    with _ended_by_signals(), _workspace(project, profile, copy, plan.base) as workspace:
        return asyncio.run(rehearse(plan, options, workspace))


def copy_at(text: str, profile: ServiceProfile, *, is_copy: bool) -> URL:
    """Refuses the service's own database, which would be filled and written to."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise RehearsalError("--url: this is no database URL") from None
    if url.drivername not in DRIVERS:
        raise RehearsalError(f"--url: {url.drivername}:// can't be used here: write {' or '.join(DRIVERS)}://")
    if profile.protected is not None and not is_copy and _address(profile.protected) == _address(url):
        raise RehearsalError(
            "--url is the service's own database: a rehearsal writes to it; --i-know-this-is-a-copy if it is one"
        )
    return url


def _address(url: URL) -> tuple[str, str, str | None]:
    """What of a URL decides which database it is."""
    host, port = url.query.get("host", url.host or "localhost"), url.query.get("port", url.port or 5432)
    return str(host).replace("localhost", "127.0.0.1"), str(port), url.database


def publish(report: RehearsalReport, json_file: Path | None, plot: Path | None) -> None:
    """Shows the report, and writes it where it is wanted."""
    to_output = json_file == Path("-")
    console = Console(stderr=to_output)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    print_report(report, console)
    if json_file and not to_output:
        json_file.write_text(report.as_json() + "\n")
    if to_output:
        typer.echo(report.as_json())
    if plot:
        write_plot(report, plot)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the block the way Ctrl-C does, through every `with`, so that nothing it started stays."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)


@contextmanager
def _workspace(project: Project, profile: ServiceProfile, copy: URL | None, base: str | None) -> Iterator[Workspace]:
    """Everything that the rehearsal needs, gone when the block ends, however it ends."""
    console = Console(stderr=True)
    clear(project.root)
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        deployed = stack.enter_context(checked_out(project.root, base, folder)) if base else project.root
        database = copy or stack.enter_context(scratch_database(project, folder))
        bar = stack.enter_context(_bar(console))
        tasks: dict[str, TaskID] = {}

        def progress(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(table, total=total)
            bar.update(tasks[table], completed=done)

        try:
            yield Workspace(project, profile, database, copy is None, folder, deployed, bar.console.print, progress)
        finally:
            # From here on things only stop, and an impatient second Ctrl-C mustn't leave any of them behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
