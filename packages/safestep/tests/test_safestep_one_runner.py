"""One migration at a time: whoever comes second waits, and who loses the lock stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO

import pytest
from alembic import command
from alembic.util import CommandError
from safestep.migrations import commands
from safestep.migrations.lock import KEY, LOCK_HOLDER, RUNNER
from safestep_support.databases import Clone, autocommit, execute, open_transaction, until
from safestep_support.revisions import Revisions, upgrade
from safestep_support.samples import ADD_COLUMN, ADD_INDEX, HAS_COLUMN, HAS_INDEX, READ, WAITS_LONG, spoken
from sqlalchemy import text
from sqlalchemy.engine import URL

SESSIONS = "SELECT count(*) = {} FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{}'"


HAVE_TRIED = f"""
    SELECT count(*) = {{}} FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = '{LOCK_HOLDER}' AND state = 'idle'
      AND query ~ 'pg_try_advisory_lock|pg_locks'
"""


@asynccontextmanager
async def lock_held(url: URL) -> AsyncIterator[None]:
    async with autocommit(url) as connection:
        await connection.execute(text(f"SELECT pg_advisory_lock({KEY})"))
        yield


async def test_replicas_that_start_at_once_migrate_once(revisions: Revisions, template: URL) -> None:
    async with Clone(template.set(database="template0")) as empty:
        async with lock_held(empty):
            replicas = [revisions.upgrade_in_process(empty) for _ in range(5)]
            await until(empty, HAVE_TRIED.format(5))
        said = [await revisions.said_by(replica) for replica in replicas]
    assert all(lines[0].startswith("another migration is running (pid ") for lines in said)
    assert sum("nothing to do" in lines for lines in said) == 4
    assert sum("users and posts - " in line for lines in said for line in lines) == 1


async def test_the_plain_alembic_command_waits_for_its_turn_too(revisions: Revisions, url: URL) -> None:
    config = commands.config(revisions.project, url)
    config.stdout = StringIO()
    async with lock_held(url):
        upgrading = asyncio.create_task(asyncio.to_thread(command.upgrade, config, "head"))
        await until(url, HAVE_TRIED.format(1))
    await upgrading
    waited, done = config.stdout.getvalue().splitlines()
    assert waited.startswith("another migration is running")
    assert done == "nothing to do"


async def test_a_runner_that_waits_for_another_does_not_block_its_index_build(revisions: Revisions, url: URL) -> None:
    revisions.add("index", ADD_INDEX)
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
        first = revisions.upgrade_in_process(url)
        await until(url, WAITS_LONG)
        second = revisions.upgrade_in_process(url)
        await until(url, SESSIONS.format(2, LOCK_HOLDER))
    assert (await revisions.said_by(first))[-1].startswith("index ")
    assert (await revisions.said_by(second))[-1] == "nothing to do"
    assert await execute(url, HAS_INDEX) == (True,)


async def test_a_run_that_loses_the_lock_stops(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    end = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{LOCK_HOLDER}'"
    async with open_transaction(url, READ):
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said, attempts=1000))
        await spoken(said, "attempt 1")
        await execute(url, f"{end} AND datname = current_database()")
        with pytest.raises(CommandError, match="the migration lock was lost"):
            await upgrading
    await until(url, SESSIONS.format(0, RUNNER))
    assert await execute(url, HAS_COLUMN) == (False,)
