"""`postern db`: Alembic's commands on the service's own database, and the gates for new revisions."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from alembic import command
from sqlalchemy.engine import URL, make_url

from app.core.config import load_settings
from app.db.provision import database_url, embedded_server, ready_database_url
from safestep import gate
from safestep.cli.rehearse import rehearse
from safestep.migrations import commands as migrations
from safestep.migrations.plan import Phase
from safestep.migrations.runner import RunOptions

app = typer.Typer(help="Migrations: DATABASE_URL's database, or the embedded one.", no_args_is_help=True)

app.command("rehearse")(rehearse)

Server = Annotated[str | None, typer.Option(help="URL of a server for scratch databases; default: an embedded one.")]
Revision = Annotated[str, typer.Argument(help="head, base, +1, -1, or a revision's id.")]
PrintSql = Annotated[bool, typer.Option("--sql", help="Print what would run, from the database's revision on.")]
Yes = Annotated[bool, typer.Option("--yes", help="In production: yes, though data may be lost.")]


@app.command()
def upgrade(
    revision: Revision = "head",
    phase: Annotated[
        Phase, typer.Option(help="expand: only what fits the code that is running; contract: everything.")
    ] = Phase.CONTRACT,
    sql: PrintSql = False,
    yes: Yes = False,
) -> None:
    """Bring the database to a newer revision. Safe to start on every replica at once: one does it, the others wait."""
    settings = load_settings()
    options = RunOptions(phase, _consent(yes), typer.echo, settings)
    with database_url(settings) as url:
        (migrations.print_upgrade if sql else migrations.upgrade)(url, revision, options)


@app.command(context_settings={"ignore_unknown_options": True})
def downgrade(revision: Revision, sql: PrintSql = False, yes: Yes = False) -> None:
    """Bring the database back to an older revision (-1 is the one before)."""
    settings = load_settings()
    options = RunOptions(Phase.CONTRACT, _consent(yes), typer.echo, settings)
    with database_url(settings) as url:
        (migrations.print_downgrade if sql else migrations.downgrade)(url, revision, options)


def _consent(yes: bool) -> Callable[[str], bool]:
    """Asks on a terminal; a script has to say --yes."""
    if yes or not sys.stdin.isatty():
        return lambda _question: yes
    return lambda question: typer.confirm(f"{question}. Go on?")


@app.command()
def current(
    check_heads: Annotated[bool, typer.Option("--check-heads", help="Exit with 1 when behind.")] = False,
) -> None:
    """Show the database's revision."""
    with database_url(load_settings()) as url:
        if not migrations.has_revision(url):
            typer.echo("no revision yet: run `postern db upgrade`")
        command.current(migrations.config(url), check_heads=check_heads)


@app.command()
def check(server: Server = None) -> None:
    """Compare the database with the models and print the difference as SQL; exit with 1 when there is one.

    Enums, checks, triggers, functions and server defaults count too. The models' schema is built on a scratch server.
    """
    with database_url(load_settings()) as url, _scratch_server(server) as scratch:
        _report("models and database agree", lambda: gate.no_drift(url, scratch))


@app.command()
def revision(
    message: Annotated[str, typer.Option("-m", "--message", help="What the revision does, in a few words.")],
    empty: Annotated[
        bool, typer.Option("--empty", help="Don't compare models and database; write it by hand.")
    ] = False,
) -> None:
    """Write a new revision from the difference between the models and the database; read it before you commit it."""
    with ready_database_url(load_settings()) as url:
        command.revision(migrations.config(url), message=message, autogenerate=not empty)


@app.command()
def seal() -> None:
    """Record the checksums of new revisions; from then on they can't be edited unseen."""
    for name in migrations.seal() or ["nothing new"]:
        typer.echo(name)


@app.command()
def lint(
    revisions: Annotated[list[str] | None, typer.Argument(help="Revisions by id; default: all.", metavar="REV")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Findings and exceptions as JSON.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Only list the rules, as a Markdown table.")] = False,
) -> None:
    """Read revisions for what would stall or break the running service; exit with 1 when there is something."""
    from safestep.lint import UnknownRevision, recipes
    from safestep.lint import lint as read

    if rules:
        typer.echo(recipes.table())
        return
    try:
        report = read(migrations.config(), revisions or [])
    except UnknownRevision as error:
        raise typer.BadParameter(str(error), param_hint="REV") from error
    typer.echo(report.for_machines() if as_json else report.for_people())
    if report.findings:
        raise typer.Exit(1)


@app.command("gate")
def run_gates(server: Server = None) -> None:
    """Try all migrations on scratch databases: one head, safe, reversible, equal to the models, none edited."""
    with _scratch_server(server) as url:
        for name, attempt in gate.gates(url).items():
            _report(name, attempt)


@contextmanager
def _scratch_server(server: str | None) -> Iterator[URL]:
    if server:
        yield make_url(server)
        return
    with (
        tempfile.TemporaryDirectory(prefix="postern-gate-") as folder,
        embedded_server(Path(folder), {"fsync": "off"}) as embedded,
    ):
        yield make_url(embedded.url("postgres"))


def _report(name: str, attempt: gate.Gate) -> None:
    try:
        attempt()
    except gate.GateClosed as closed:
        typer.echo(f"closed: {name}\n{closed}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"open: {name}")
