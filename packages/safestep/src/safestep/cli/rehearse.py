"""`postern db rehearse`: what a migration does to a full database under traffic, before production finds out."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal, NoReturn

import typer
from pgfolder.server import EmbeddedPostgresError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy.engine import URL

from app.core.config import Settings, load_settings, parse_database_url
from safestep.migrations import commands as migrations
from safestep.project import Project
from safestep.rehearsal import place
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.plan import make_plan
from safestep.rehearsal.plot import must_be_drawable, write_plot
from safestep.rehearsal.report import Report
from safestep.rehearsal.run import Options, Stage, rehearse_plan
from safestep.rehearsal.show import show

LOG_WIDTH = 140  # columns where there is no terminal
IMPOSSIBLE = 2  # exit code: the rehearsal itself couldn't take place

Base = Annotated[str | None, typer.Option(help="The deployed commit; default: where this branch left main.")]
Start = Annotated[str | None, typer.Option("--from", help="The deployed revision; default: the base's newest.")]
Code = Annotated[Literal["base", "checkout"], typer.Option(help="Whose code serves: the base's or the checked-out.")]
Rows = Annotated[int, typer.Option(min=1, help="Posts; other tables in proportion. Only empty tables are filled.")]
Dump = Annotated[Path | None, typer.Option(help="A dump to restore instead of making rows.", exists=True)]
Copy = Annotated[str | None, typer.Option(help="A copy of the database; default: a scratch server.")]
IsCopy = Annotated[bool, typer.Option("--i-know-this-is-a-copy", help="Take --url though it is DATABASE_URL.")]
Rate = Annotated[float, typer.Option(min=1, max=5000, help="Requests a second.")]
Connections = Annotated[int, typer.Option(min=1, max=1000, help="HTTP connections.")]
WarmUp = Annotated[float, typer.Option(min=0, help="Seconds of traffic that don't count.")]
Before = Annotated[float, typer.Option(min=0.5, help="Seconds of traffic before the migration.")]
After = Annotated[float, typer.Option(min=0.5, help="Seconds of traffic after it.")]
MaxStall = Annotated[float, typer.Option(min=0.001, help="The longest that a request may take, in seconds.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the report there as JSON; - is the output.")]
Plot = Annotated[Path | None, typer.Option(help="Draw latency over time into this .svg or .png.")]


def add_commands(app: typer.Typer, _project: Project) -> None:
    app.command("rehearse")(rehearse)


def rehearse(  # noqa: PLR0913, PLR0917 - the options of a command
    base: Base = None,
    start: Start = None,
    code: Code = "base",
    rows: Rows = 1_000_000,
    from_dump: Dump = None,
    url: Copy = None,
    is_copy: IsCopy = False,
    rate: Rate = 200.0,
    connections: Connections = 64,
    warm_up: WarmUp = 3.0,
    before: Before = 10.0,
    after: After = 10.0,
    max_stall: MaxStall = 1.0,
    json_file: Json = None,
    plot: Plot = None,
) -> None:
    """Run the pending migrations on a full scratch database while the deployed code serves requests from it.

    Exit code 1: a request failed or took longer than --max-stall. 2: the rehearsal itself couldn't take place.
    """
    options = Options(rows, from_dump, rate, connections, warm_up, before, after, max_stall)
    try:
        must_be_drawable(plot)
        plan = make_plan(migrations.ROOT, base=base, start=start, from_git=code == "base")
        copy = _copy(url, load_settings(), is_copy=is_copy) if url else None
        with _ended_by_signals(), _stage(copy, plan.base) as stage:
            report = asyncio.run(rehearse_plan(plan, options, stage))
        _publish(report, json_file, plot)
    except (RehearsalError, EmbeddedPostgresError) as error:
        typer.echo(f"postern: {error}", err=True)
        raise typer.Exit(IMPOSSIBLE) from None
    raise typer.Exit(1 if report.reasons else 0)


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


def _copy(text: str, settings: Settings, *, is_copy: bool) -> URL:
    """Refuses the service's own database, which would be filled and written to."""
    try:
        url = parse_database_url(text)
    except ValueError as error:
        raise RehearsalError(f"--url: {error}") from None
    own = settings.database_url and parse_database_url(settings.database_url.get_secret_value())
    if own and not is_copy and _address(own) == _address(url):
        raise RehearsalError("--url is DATABASE_URL: a rehearsal writes to it; --i-know-this-is-a-copy if it is one")
    return url


def _address(url: URL) -> tuple[str, str, str | None]:
    """What of a URL decides which database it is."""
    host, port = url.query.get("host", url.host or "localhost"), url.query.get("port", url.port or 5432)
    return str(host).replace("localhost", "127.0.0.1"), str(port), url.database


@contextmanager
def _stage(copy: URL | None, base: str | None) -> Iterator[Stage]:
    """Everything that the rehearsal needs, gone when the block ends, however it ends."""
    console = Console(stderr=True)
    with ExitStack() as stack:
        folder = stack.enter_context(place.folder())
        deployed = stack.enter_context(place.checked_out(migrations.ROOT, base, folder)) if base else migrations.ROOT
        url = copy or stack.enter_context(place.scratch_database(folder))
        bar = stack.enter_context(_bar(console))
        tasks: dict[str, TaskID] = {}

        def progress(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(table, total=total)
            bar.update(tasks[table], completed=done)

        try:
            yield Stage(url, copy is None, folder, deployed, bar.console.print, progress)
        finally:
            # From here on things only stop, and an impatient second Ctrl-C mustn't leave any of them behind.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )


def _publish(report: Report, json_file: Path | None, plot: Path | None) -> None:
    to_output = json_file == Path("-")
    console = Console(stderr=to_output)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    show(report, console)
    if json_file and not to_output:
        json_file.write_text(report.as_json() + "\n")
    if to_output:
        typer.echo(report.as_json())
    if plot:
        write_plot(report, plot)
