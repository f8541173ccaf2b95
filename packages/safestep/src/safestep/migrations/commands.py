"""Alembic's commands as functions of a project and a database."""

import asyncio
from contextlib import suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy.engine import URL

from safestep.connections import engine, one_line_errors
from safestep.migrations.plan import Phase, phase_of
from safestep.migrations.runner import RunOptions
from safestep.project import Project

ENVIRONMENT_RAN = "environment_ran"
"""The attribute of Alembic's configuration by which `safestep.environment.run` says that env.py called it."""


class EnvironmentUnused(CommandError):
    """env.py ran without a call of `safestep.environment.run`, so what it did, if anything, is unknown."""


def config(project: Project, url: URL | None = None, options: RunOptions | None = None) -> Config:
    """Alembic's configuration; without a URL, alembic/env.py opens the project's own database."""
    made = Config(project.root / "alembic.ini")
    given = {"project": project, "url": url, "options": options}
    made.attributes.update({name: value for name, value in given.items() if value is not None})
    return made


def script_directory(project: Project) -> ScriptDirectory:
    return ScriptDirectory.from_config(config(project))


def heads(project: Project) -> list[str]:
    return list(script_directory(project).get_heads())


def current_revision(project: Project, url: URL) -> str | None:
    """None when the database was never migrated. Raises DatabaseFailure when it can't be asked."""
    with one_line_errors(url):
        return asyncio.run(_current_revision(project, url))


def missing_migration(project: Project, url: URL) -> str | None:
    """Why this code can't run on the database, in one line, if it can't. Raises DatabaseFailure when it can't be asked.

    Two databases that aren't at the newest revision fit: pending revisions that contract run after the code is out, and
    a revision that isn't known here belongs to newer code, which was rolled back.
    """
    revision = current_revision(project, url)
    if needed := needed_revision(project, revision):
        state = f"is at {revision}" if revision else "has no revision yet"
        return f"the database {state}, this code needs {needed}: run `{project.command} upgrade`"
    return None


def needed_revision(project: Project, revision: str | None) -> str | None:
    """The newest revision without which this code can't run, if a database at `revision` lacks one."""
    with suppress(ResolutionError):
        for pending in script_directory(project).iterate_revisions("head", revision or "base"):
            if phase_of(pending) is Phase.EXPAND:
                return pending.revision
    return None


def upgrade(project: Project, url: URL, revision: str = "head", options: RunOptions | None = None) -> None:
    """Brings the database to a newer revision, or waits for the process that is doing it.

    Raises CommandError with one line; what was applied until then stays, and the next run goes on from there.
    """
    made = config(project, url, options or RunOptions())
    command.upgrade(made, revision)
    _require_environment(made)


def downgrade(project: Project, url: URL, revision: str, options: RunOptions | None = None) -> None:
    made = config(project, url, options or RunOptions())
    command.downgrade(made, revision)
    _require_environment(made)


def print_upgrade(project: Project, url: URL, revision: str, options: RunOptions) -> None:
    """The SQL that would bring this database to `revision`; `from:to` is printed without a look at it."""
    command.upgrade(config(project, url, options), _range(project, url, revision), sql=True)


def print_downgrade(project: Project, url: URL, revision: str, options: RunOptions) -> None:
    command.downgrade(config(project, url, options), _range(project, url, revision), sql=True)


def _range(project: Project, url: URL, revision: str) -> str:
    if ":" in revision:
        return revision
    return f"{current_revision(project, url) or 'base'}:{revision}"


def _require_environment(made: Config) -> None:
    """Raises EnvironmentUnused. Alembic takes an env.py that runs nothing for a success."""
    if ENVIRONMENT_RAN not in made.attributes:
        env = Path(ScriptDirectory.from_config(made).env_py_location)
        raise EnvironmentUnused(f"{env} doesn't call safestep.environment.run(project): see what it did")


async def _current_revision(project: Project, url: URL) -> str | None:
    async with engine(url, project.connect_args(url, {})) as opened, opened.connect() as connection:
        return await connection.run_sync(lambda each: MigrationContext.configure(each).get_current_revision())
