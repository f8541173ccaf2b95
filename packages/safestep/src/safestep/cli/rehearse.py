"""The command `rehearse`: what a migration does to a full database under traffic, before production finds out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from alembic.util import CommandError

from safestep.cli.arguments import project_of
from safestep.project import Project

if TYPE_CHECKING:
    from safestep.rehearsal import ServiceProfile

IMPOSSIBLE = 2  # exit code: the rehearsal itself couldn't take place

Base = Annotated[str | None, typer.Option(help="The deployed commit; default: where this branch left main.")]
Start = Annotated[str | None, typer.Option("--from", help="The deployed revision; default: the base's newest.")]
Code = Annotated[Literal["base", "checkout"], typer.Option(help="Whose code serves: the base's or the checked-out.")]
Rows = Annotated[int, typer.Option(min=1, help="Rows of a table; of some, a share. Only empty tables are filled.")]
Dump = Annotated[Path | None, typer.Option(help="A dump to restore instead of making rows.", exists=True)]
Copy = Annotated[str | None, typer.Option(help="A copy of the database; default: a scratch server.")]
IsCopy = Annotated[bool, typer.Option("--i-know-this-is-a-copy", help="Take --url though the service has it.")]
Rate = Annotated[float, typer.Option(min=1, max=5000, help="Requests a second.")]
Connections = Annotated[int, typer.Option(min=1, max=1000, help="HTTP connections.")]
WarmUp = Annotated[float, typer.Option(min=0, help="Seconds of traffic that don't count.")]
Before = Annotated[float, typer.Option(min=0.5, help="Seconds of traffic before the migration.")]
After = Annotated[float, typer.Option(min=0.5, help="Seconds of traffic after it.")]
MaxStall = Annotated[float, typer.Option(min=0.001, help="The longest that a request may take, in seconds.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the report there as JSON; - is the output.")]
Plot = Annotated[Path | None, typer.Option(help="Draw latency over time into this .svg or .png.")]


def add_commands(app: typer.Typer, project: Project) -> None:
    if project.rehearsal:
        app.command()(rehearse)


def rehearse(  # noqa: PLR0913, PLR0917 - the options of a command
    context: typer.Context,
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
    project = project_of(context)
    with _ended_in_one_line(project):
        from safestep.rehearsal import command
        from safestep.rehearsal.plan import make_plan
        from safestep.rehearsal.plot import must_be_drawable
        from safestep.rehearsal.workspace import RehearsalOptions

        options = RehearsalOptions(rows, from_dump, rate, connections, warm_up, before, after, max_stall)
        must_be_drawable(plot)
        profile = _profile(project)
        plan = make_plan(project.root, base=base, start=start, from_git=code == "base")
        copy = command.copy_at(url, profile, is_copy=is_copy) if url else None
        report = command.rehearse_here(project, profile, plan, options, copy)
        command.publish(report, json_file, plot)
    raise typer.Exit(1 if report.reasons else 0)


@contextmanager
def _ended_in_one_line(project: Project) -> Iterator[None]:
    """Says why the rehearsal couldn't take place, and ends the command with its exit code."""
    try:
        yield
    except ModuleNotFoundError as error:
        reason = f"a rehearsal needs {error.name}, which isn't installed"
    except CommandError as error:
        reason = str(error)
    else:
        return
    typer.echo(f"{project.command.split()[0]}: {reason}", err=True)
    raise typer.Exit(IMPOSSIBLE)


def _profile(project: Project) -> "ServiceProfile":
    if project.rehearsal is None:
        raise CommandError("this project doesn't say what its traffic is: there is nothing to rehearse with")
    return project.rehearsal()
