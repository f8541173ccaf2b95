"""The commands that work on the project's database: upgrade, downgrade, current, revision."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from safestep.cli.arguments import project_of
from safestep.migrations.plan import Phase
from safestep.project import Project

Revision = Annotated[str, typer.Argument(help="head, base, +1, -1, or a revision's id.")]
PrintSql = Annotated[bool, typer.Option("--sql", help="Print what would run, from the database's revision on.")]
Yes = Annotated[bool, typer.Option("--yes", help="In production: yes, though data may be lost.")]


def add_commands(app: typer.Typer, _project: Project) -> None:
    app.command()(upgrade)
    app.command(context_settings={"ignore_unknown_options": True})(downgrade)
    app.command()(current)
    app.command()(revision)


def upgrade(
    context: typer.Context,
    revision: Revision = "head",
    phase: Annotated[
        Phase, typer.Option(help="expand: only what fits the code that is running; contract: everything.")
    ] = Phase.CONTRACT,
    sql: PrintSql = False,
    yes: Yes = False,
) -> None:
    """Bring the database to a newer revision. Safe to start on every replica at once: one does it, the others wait."""
    from safestep.migrations import commands as migrations
    from safestep.migrations.runner import RunOptions

    project = project_of(context)
    options = RunOptions(phase, ask_for_consent(yes), typer.echo)
    with project.database() as url:
        (migrations.print_upgrade if sql else migrations.upgrade)(project, url, revision, options)


def downgrade(context: typer.Context, revision: Revision, sql: PrintSql = False, yes: Yes = False) -> None:
    """Bring the database back to an older revision (-1 is the one before)."""
    from safestep.migrations import commands as migrations
    from safestep.migrations.runner import RunOptions

    project = project_of(context)
    options = RunOptions(Phase.CONTRACT, ask_for_consent(yes), typer.echo)
    with project.database() as url:
        (migrations.print_downgrade if sql else migrations.downgrade)(project, url, revision, options)


def ask_for_consent(yes: bool) -> Callable[[str], bool]:
    """Asks on a terminal; a script has to say --yes."""
    if yes or not sys.stdin.isatty():
        return lambda _question: yes
    return lambda question: typer.confirm(f"{question}. Go on?")


def current(
    context: typer.Context,
    check_heads: Annotated[bool, typer.Option("--check-heads", help="Exit with 1 when behind.")] = False,
) -> None:
    """Show the database's revision."""
    from alembic import command

    from safestep.migrations import commands as migrations

    project = project_of(context)
    with project.database() as url:
        if migrations.current_revision(project, url) is None:
            typer.echo(f"no revision yet: run `{project.command} upgrade`")
        command.current(migrations.config(project, url), check_heads=check_heads)


def revision(
    context: typer.Context,
    message: Annotated[str, typer.Option("-m", "--message", help="What the revision does, in a few words.")],
    empty: Annotated[
        bool, typer.Option("--empty", help="Don't compare models and database; write it by hand.")
    ] = False,
) -> None:
    """Write a new revision from the difference between the models and the database; read it before you commit it."""
    from alembic import command

    from safestep.migrations import commands as migrations

    project = project_of(context)
    with (project.migrated_database or project.database)() as url:
        command.revision(migrations.config(project, url), message=message, autogenerate=not empty)
