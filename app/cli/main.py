"""The service's command (app/core/product.py says its name)."""

import sys
from typing import NoReturn

import typer
from alembic.util import CommandError
from safestep.cli import make_app
from sqlalchemy.exc import ProgrammingError

from app.cli import imports, serve, users
from app.core.config import Settings, load_settings
from app.core.context import Actor, request_context
from app.core.errors import DomainError, InvalidSettings
from app.core.logs import configure_logging
from app.core.product import COMMAND, NAME
from app.db.errors import sqlstate
from app.db.migrations import make_project

UNDEFINED = ("42P01", "42703")  # a table, a column


def _load_settings() -> Settings:
    """For `db`, whose commands load settings when they need them: until then structlog would print every event."""
    settings = load_settings()
    configure_logging(settings)
    return settings


app = typer.Typer(
    name=COMMAND,
    help=f"{NAME}: serve it, migrate its database, bring posts in.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("import")(imports.import_posts)
app.add_typer(users.app, name="users")
app.add_typer(
    make_app(make_project(_load_settings)),
    name="db",
    help="Migrations: DATABASE_URL's database, or the embedded one.",
    no_args_is_help=True,
)


def run() -> None:
    """Runs the command; what can go wrong outside of our code is one line on standard error and exit code 1."""
    try:
        with request_context(request_id="", who=Actor("command")):
            app()
    except (InvalidSettings, CommandError, DomainError) as error:
        _end(str(error))
    except ProgrammingError as error:
        if sqlstate(error) not in UNDEFINED:
            raise
        _end(f"the database lacks tables or columns that this code needs: run `{COMMAND} db upgrade`")


def _end(reason: str) -> NoReturn:
    typer.echo(f"{COMMAND}: {reason}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    run()
