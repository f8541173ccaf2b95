"""The commands that check a database or the revisions: check, gate, seal."""

from collections.abc import Callable

import typer

from safestep.cli.arguments import Server, project_of, scratch_server
from safestep.project import Project


def add_commands(app: typer.Typer, _project: Project) -> None:
    app.command()(check)
    app.command("gate")(run_gate)
    app.command()(seal)


def check(context: typer.Context, server: Server = None) -> None:
    """Compare the database with the models and print the difference as SQL; exit with 1 when there is one.

    Enums, checks, triggers, functions, policies, server defaults and the grants of the project's roles count too.
    What is described is built on a scratch server.
    """
    from safestep import gate

    project = project_of(context)
    with project.database() as url, scratch_server(project, server) as scratch:
        _report("models and database agree", lambda: gate.no_drift(project, url, scratch))


def run_gate(context: typer.Context, server: Server = None) -> None:
    """Try all migrations on scratch databases: one head, safe, reversible, equal to the models, none edited."""
    from safestep import gate

    project = project_of(context)
    with scratch_server(project, server) as url:
        for name, gate_check in gate.gate_checks(project, url).items():
            _report(name, gate_check)


def seal(context: typer.Context) -> None:
    """Record the checksums of new revisions; from then on they can't be edited unseen."""
    from safestep.migrations import checksums

    for name in checksums.seal(project_of(context)) or ["nothing new"]:
        typer.echo(name)


def _report(name: str, gate_check: Callable[[], str | None]) -> None:
    """Runs one check and says whether it holds; exit code 1 when it doesn't."""
    from safestep.gate import GateClosed

    try:
        notes = gate_check()
    except GateClosed as closed:
        typer.echo(f"closed: {name}\n{closed}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"open: {name}" if notes is None else f"open: {name}\n{notes}")
