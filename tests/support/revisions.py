"""A copy of the migrations with revisions of a test's own, and what happens to them."""

import asyncio
import multiprocessing
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from safestep.migrations import commands as migrations
from safestep.migrations.plan import Phase
from safestep.migrations.runner import RunOptions
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.db.session import connect_args
from tests.support.application import make_settings

# Quick to give way and quick to come back: nothing here has to be polite to anybody.
QUICK = {"migration_lock_timeout": 0.2, "migration_retry_delay": 0.01, "migration_attempts": 3}
KILLED = 9
CHANGE = re.compile(r"\s*(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE|WITH)\b")

REVISION = '''"""{message}"""

import sqlalchemy as sa
from alembic import op

import safestep

revision = "{revision}"
down_revision = "{down_revision}"
{marks}


def upgrade():
{body}


def downgrade():
    pass
'''


class Revisions:
    """The project's revisions in a folder of their own, to which a test adds some."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(migrations.ROOT / "alembic", root / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(migrations.ROOT / "alembic.ini", root)

    def add(self, revision: str, body: str, *, marks: str = "", message: str = "a test's") -> None:
        (down_revision,) = migrations.heads(self.root)
        text = REVISION.format(
            revision=revision,
            down_revision=down_revision,
            message=message,
            marks=marks,
            body=indent(dedent(body).strip(), "    "),
        )
        (self.root / "alembic" / "versions" / f"{revision}.py").write_text(text)

    def upgrade(
        self, url: URL, *, until: Phase = Phase.CONTRACT, said: list[str] | None = None, **values: Any
    ) -> list[str]:
        """What the run said, which others can read in `said` while it lasts."""
        said = [] if said is None else said
        options = RunOptions(until, lambda _question: False, said.append, make_settings(url, **(QUICK | values)))
        migrations.upgrade(url, "head", options, root=self.root)
        return said

    def upgrade_in_process(self, url: URL, *, die_before: int | None = None) -> "multiprocessing.process.BaseProcess":
        """A process that upgrades; with `die_before` it ends itself right before that change, as SIGKILL would."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.support.revisions"])
        arguments = (self.root, url.render_as_string(hide_password=False), die_before)
        process = context.Process(target=_upgrade, args=arguments)
        process.start()
        return process

    async def said_by(self, process: "multiprocessing.process.BaseProcess") -> list[str]:
        """What such a process said until it ended."""
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0
        return (self.root / f"{process.pid}.said").read_text().splitlines()


async def upgrade(revisions: Revisions, url: URL, **options: Any) -> list[str]:
    """What the run said; the event loop goes on meanwhile."""
    return await asyncio.to_thread(revisions.upgrade, url, **options)


def _upgrade(root: Path, url: str, die_before: int | None) -> None:
    def die(number: int, _statement: str) -> None:
        if number == die_before:
            os._exit(KILLED)

    revisions = Revisions.__new__(Revisions)
    revisions.root = root
    with on_change(die):
        said = revisions.upgrade(make_url(url))
    (root / f"{os.getpid()}.said").write_text("\n".join(said))


async def execute(url: URL, statement: str) -> Any:
    """The one row of the statement's answer, if it has any."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        result = await connection.execute(text(statement))
        return tuple(result.one()) if result.returns_rows else None


async def until(url: URL, question: str) -> None:
    """Returns when the question's answer is true; for what another process or connection is about to do."""
    async with asyncio.timeout(20):
        while True:
            if (await execute(url, question))[0]:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def open_transaction(url: URL, statement: str) -> AsyncIterator[int]:
    """A transaction that has run this and stays open for the length of the block; yields its backend's pid."""
    arguments = connect_args(
        url, make_settings(), {"application_name": "forgotten", "idle_in_transaction_session_timeout": "0"}
    )
    engine = create_async_engine(url, poolclass=NullPool, connect_args=arguments)
    async with engine.connect() as connection:
        await connection.execute(text(statement))
        yield (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()


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
