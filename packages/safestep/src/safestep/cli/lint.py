"""The command that reads revisions: lint."""

from typing import Annotated

import typer

from safestep.cli.arguments import project_of
from safestep.project import Project


def add_commands(app: typer.Typer, _project: Project) -> None:
    app.command()(lint)


def lint(
    context: typer.Context,
    revisions: Annotated[list[str] | None, typer.Argument(help="Revisions by id; default: all.", metavar="REV")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Findings and exceptions as JSON.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Only list the rules, as a Markdown table.")] = False,
) -> None:
    """Read revisions for what would stall or break the running service; exit with 1 when there is something."""
    from safestep.lint import UnknownRevision, recipes
    from safestep.lint import lint as read
    from safestep.migrations import commands as migrations

    if rules:
        typer.echo(recipes.table())
        return
    try:
        report = read(migrations.config(project_of(context)), revisions or [])
    except UnknownRevision as error:
        raise typer.BadParameter(str(error), param_hint="REV") from error
    typer.echo(report.for_machines() if as_json else report.for_people())
    if report.findings:
        raise typer.Exit(1)
