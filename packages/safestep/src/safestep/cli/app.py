"""The Typer application. What a command needs is imported when it runs, so that `--help` stays quick."""

import sys

import typer
from alembic.util import CommandError

from safestep.cli import checks, database, lint, rehearse
from safestep.project import Project


def make_app(project: Project) -> typer.Typer:
    """The commands of this project, to be run or mounted with `add_typer`.

    What can go wrong outside of the project's code is raised as a CommandError of one line, for the caller to print.
    """
    app = typer.Typer(
        help="Migrations of the project's database.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def set_project(context: typer.Context) -> None:
        context.obj = project

    for commands in (database, checks, lint, rehearse):
        commands.add_commands(app, project)
    return app


def run(project: Project) -> None:
    """Runs the command line by itself; ends the process with exit code 1 and one line on an error."""
    try:
        make_app(project)()
    except CommandError as error:
        typer.echo(f"{project.command}: {error}", err=True)
        sys.exit(1)
