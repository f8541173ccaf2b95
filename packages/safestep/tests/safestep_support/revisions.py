"""A small project in a folder of the test's, with revisions that the test adds, and what happens to them."""

import asyncio
import multiprocessing
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from pgfolder import binary
from safestep.migrations import commands
from safestep.migrations.plan import Phase
from safestep.migrations.runner import RunOptions
from safestep.project import Limits, Project
from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, make_url

from safestep_support import schema

# Quick to give way and quick to come back: nothing here has to be polite to anybody.
QUICK = Limits(lock_timeout=0.2, retry_delay=0.01, attempts=3)
KILLED = 9
CHANGE = re.compile(r"\s*(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE|WITH)\b")

INI = """
[alembic]
script_location = %(here)s/alembic
path_separator = os
"""
ENV = """
from pathlib import Path

from alembic import context
from safestep.environment import run
from safestep_support.revisions import project_in

run(project_in(Path(context.config.config_file_name).parent))
"""
TEMPLATE = '''"""${message}"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
phase = "expand"


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''
REVISION = '''"""{message}"""

import sqlalchemy as sa
from alembic import op

import safestep

revision = {revision!r}
down_revision = {after!r}
{marks}


def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''


def project_in(root: Path, url: URL | None = None) -> Project:
    def database() -> AbstractContextManager[URL]:
        assert url is not None, "this project was made without a database"
        return nullcontext(url)

    return Project(
        root=root,
        metadata=lambda: schema.metadata,
        database=database,
        limits=lambda: QUICK,
        client_program=binary,
        command="shop db",
    )


class Revisions:
    """The project's first revision creates the tables of `schema`; a test adds others after it."""

    def __init__(self, root: Path, url: URL | None = None) -> None:
        self.root = root
        self.project = project_in(root, url)
        self.versions = root / "alembic" / "versions"
        if self.versions.exists():
            return
        self.versions.mkdir(parents=True)
        (root / "alembic.ini").write_text(INI)
        (root / "alembic" / "env.py").write_text(ENV)
        (root / "alembic" / "script.py.mako").write_text(TEMPLATE)
        self.add(
            "tables",
            executing(*schema.creating()),
            downgrade=executing(*schema.dropping()),
            message="users and posts",
            after=None,
        )

    def add(
        self,
        revision: str,
        upgrade: str = "pass",
        *,
        downgrade: str = "pass",
        marks: str = "",
        message: str = "a test's",
        after: str | tuple[str, ...] | None = "head",
    ) -> Path:
        """Writes a revision with these lines of Python; `marks` are assignments at the top of its file."""
        if after == "head":
            (after,) = commands.heads(self.project)
        text = REVISION.format(
            revision=revision,
            after=after,
            message=message,
            marks=marks,
            upgrade=indent(dedent(upgrade).strip(), "    "),
            downgrade=indent(dedent(downgrade).strip(), "    "),
        )
        file = self.versions / f"{revision}.py"
        file.write_text(text)
        return file

    def limited(self, **limits: Any) -> Project:
        """The project with other limits."""
        return replace(self.project, limits=lambda: replace(QUICK, **limits))

    def upgrade(
        self,
        url: URL,
        *,
        until: Phase = Phase.CONTRACT,
        said: list[str] | None = None,
        confirm_data_loss: bool = False,
        **limits: Any,
    ) -> list[str]:
        """What the run announced, which others can read in `said` while it lasts. Nobody confirms a loss of data."""
        said = [] if said is None else said
        project = replace(self.limited(**limits), confirm_data_loss=lambda: confirm_data_loss)
        commands.upgrade(project, url, "head", RunOptions(until, lambda _question: False, said.append))
        return said

    def upgrade_in_process(self, url: URL, *, die_before: int | None = None) -> "multiprocessing.process.BaseProcess":
        """A process that upgrades; with `die_before` it ends itself right before that change, as SIGKILL would."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["safestep_support.revisions"])
        arguments = (self.root, url.render_as_string(hide_password=False), die_before)
        process = context.Process(target=_upgrade, args=arguments)
        process.start()
        return process

    async def said_by(self, process: "multiprocessing.process.BaseProcess") -> list[str]:
        """What such a process announced until it ended."""
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0
        return (self.root / f"{process.pid}.said").read_text().splitlines()


async def upgrade(revisions: Revisions, url: URL, **options: Any) -> list[str]:
    """What the run announced; the event loop goes on meanwhile."""
    return await asyncio.to_thread(revisions.upgrade, url, **options)


def executing(*statements: str) -> str:
    """The lines of a revision that runs these."""
    return "\n".join(f"op.execute({statement!r})" for statement in statements)


def _upgrade(root: Path, url: str, die_before: int | None) -> None:
    def die(number: int, _statement: str) -> None:
        if number == die_before:
            os._exit(KILLED)

    with on_change(die):
        said = Revisions(root).upgrade(make_url(url))
    (root / f"{os.getpid()}.said").write_text("\n".join(said))


@contextmanager
def on_change(hook: Callable[[int, str], None]) -> Iterator[list[str]]:
    """Calls the hook before each statement of a migration that changes something; yields those statements."""
    seen: list[str] = []

    def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if CHANGE.match(statement):
            hook(len(seen), statement)
            seen.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", before)
