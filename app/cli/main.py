"""The `postern` command."""

import sys
from typing import NoReturn

import typer
from alembic.util import CommandError
from pgfolder.server import EmbeddedPostgresError
from safestep.cli import make_app
from sqlalchemy.exc import ProgrammingError

from app.cli import imports, serve, users
from app.core.context import Actor, request_context
from app.core.errors import DomainError, InvalidSettings
from app.db.errors import sqlstate
from app.db.migrations import project

UNDEFINED = ("42P01", "42703")  # a table, a column

app = typer.Typer(
    name="postern",
    help="A publishing API: serve it, migrate its database, bring posts in.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("import")(imports.import_posts)
app.add_typer(users.app, name="users")
app.add_typer(
    make_app(project), name="db", help="Migrations: DATABASE_URL's database, or the embedded one.", no_args_is_help=True
)


def run() -> None:
    """Runs the command; what can go wrong outside of our code is one line on standard error and exit code 1."""
    try:
        with request_context(request_id="", who=Actor("command")):
            app()
    except (InvalidSettings, EmbeddedPostgresError, CommandError, DomainError) as error:
        _end(str(error))
    except ProgrammingError as error:
        if sqlstate(error) not in UNDEFINED:
            raise
        _end("the database lacks tables or columns that this code needs: run `postern db upgrade`")


def _end(reason: str) -> NoReturn:
    typer.echo(f"postern: {reason}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    run()
