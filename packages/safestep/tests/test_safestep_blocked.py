"""Upgrades beside traffic and open transactions."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from alembic.util import CommandError
from safestep.migrations import lock
from safestep_support.databases import Clone, autocommit, execute, open_transaction
from safestep_support.revisions import Revisions, on_change, upgrade
from safestep_support.samples import ADD_COLUMN, ADD_INDEX, HAS_COLUMN, READ, spoken
from sqlalchemy import text
from sqlalchemy.engine import URL


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_traffic_passes_while_a_migration_waits_for_an_open_transaction(
    revisions: Revisions, template: URL, driver: str
) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    async with Clone(template, driver=driver) as url:
        async with open_transaction(url, READ) as blocker:
            upgrading = asyncio.create_task(upgrade(revisions, url, said=said, attempts=1000))
            await spoken(said, "attempt 2 of 1000")
            async with asyncio.timeout(20):
                assert await execute(url, READ) == (0,)
            assert await execute(url, HAS_COLUMN) == (False,)
        await upgrading
        assert await execute(url, HAS_COLUMN) == (True,)
    assert f"blocked by pid {blocker} (forgotten, idle in transaction, transaction open for " in said[0]
    assert "count" not in said[0], "a query's text may hold data"


async def test_traffic_is_stalled_once_by_transactions_that_stay_open(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    with on_change(lambda *_: None) as changes:
        async with open_transaction(url, READ) as blocker:
            async with open_transaction(url, READ) as another:
                upgrading = asyncio.create_task(upgrade(revisions, url, said=said, attempts=1000))
                pid = min(blocker, another)
                await spoken(said, f"attempt 3 of 1000: not tried, for the transaction of pid {pid} is still open")
            seen = len(said)
            await spoken(said, f"attempt {seen + 3} of 1000: not tried")
        await upgrading
    assert sum(change.startswith("ALTER TABLE posts") for change in changes) == 2


async def as_ordinary_role(url: URL) -> URL:
    """A role that owns the tables and may look into nobody else's session."""
    role = f"migrator_{url.database}"
    for statement in (
        f"CREATE ROLE {role} LOGIN PASSWORD 'migrator'",
        f"GRANT CREATE ON SCHEMA public TO {role}",
        f"ALTER TABLE alembic_version OWNER TO {role}",
        f"ALTER TABLE posts OWNER TO {role}",
    ):
        await execute(url, statement)
    return url.set(username=role, password="migrator")


async def test_a_role_that_sees_no_other_session_knows_when_a_transaction_ends(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    ordinary = await as_ordinary_role(url)
    try:
        with on_change(lambda *_: None) as changes:
            async with open_transaction(url, READ):
                upgrading = asyncio.create_task(upgrade(revisions, ordinary, said=said, attempts=1000))
                await spoken(said, "attempt 4 of 1000: not tried")
            await upgrading
        assert "state hidden: grant pg_read_all_stats" in said[0]
        assert sum(change.startswith("ALTER TABLE posts") for change in changes) == 2
    finally:
        for statement in ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}", "DROP ROLE {}"):
            await execute(url, statement.format(ordinary.username))


async def test_a_prepared_transaction_is_waited_for_like_any_other(revisions: Revisions, url: URL) -> None:
    if await execute(url, "SHOW max_prepared_transactions") == ("0",):
        pytest.skip("this server takes no prepared transactions")
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    for name, table in (("in_the_way", "posts"), ("elsewhere", "users")):
        async with autocommit(url) as connection:
            for statement in ("BEGIN", f"SELECT FROM {table}", f"PREPARE TRANSACTION '{name}'"):
                await connection.execute(text(statement))
    async with autocommit(url) as connection:
        try:
            upgrading = asyncio.create_task(upgrade(revisions, url, said=said, attempts=1000))
            await spoken(said, "attempt 3 of 1000: not tried, for a prepared transaction is still open")
            await connection.execute(text("ROLLBACK PREPARED 'in_the_way'"))
            await upgrading
        finally:
            await connection.execute(text("ROLLBACK PREPARED 'elsewhere'"))


@pytest.mark.parametrize(("state", "words"), [("55P03", "a lock wasn't free in time"), ("40P01", "a deadlock")])
async def test_attempts_count_for_one_revision(revisions: Revisions, url: URL, state: str, words: str) -> None:
    for name in ("first", "second"):
        await execute(url, f"CREATE SEQUENCE tries_of_{name}")  # goes on through rollbacks
        fail = f"RAISE EXCEPTION 'planted' USING ERRCODE = '{state}'"
        body = f"DO $$ BEGIN IF nextval('tries_of_{name}') < 3 THEN {fail}; END IF; END $$"
        revisions.add(name, f"op.execute({body!r})")

    said = await upgrade(revisions, url, attempts=3)

    assert [line.split(":")[1].strip() for line in said if "attempt" in line] == [
        "attempt 1 of 3",
        "attempt 2 of 3",
        "attempt 1 of 3",
        "attempt 2 of 3",
    ]
    assert words in said[0]
    assert said[-1] == "2 revisions done"


async def test_a_migration_goes_on_as_soon_as_nobody_is_in_its_way(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safestep.migrations.retry.random.uniform", lambda *_: 6000)
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    async with open_transaction(url, READ):
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said))
        await spoken(said, "again in 60.0 s")
    async with asyncio.timeout(20):
        await upgrading
    assert await execute(url, HAS_COLUMN) == (True,)


async def test_a_migration_that_never_gets_its_lock_gives_up_in_one_line(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    async with open_transaction(url, READ):
        with (
            on_change(lambda *_: None) as changes,
            pytest.raises(CommandError, match="gave up after attempt 3 of 3") as failed,
        ):
            await upgrade(revisions, url, said=said)
    assert sum(change.startswith("ALTER TABLE posts") for change in changes) == 2, "the first attempt, and the last"
    assert len(str(failed.value).splitlines()) == 1
    assert len(said) == 2
    assert await execute(url, HAS_COLUMN) == (False,)
    assert (await upgrade(revisions, url))[-1].startswith("column (expand) a test's - ")


async def test_a_lock_on_the_version_table_is_waited_for_like_any_other(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    async with open_transaction(url, READ):
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said, attempts=1000))
        await spoken(said, "attempt 1")
        async with open_transaction(url, "LOCK TABLE alembic_version"):
            seen = len(said)
            await spoken(said, f"attempt {seen + 3} of")
    await upgrading
    assert await execute(url, HAS_COLUMN) == (True,)


async def test_a_long_wait_says_for_whom(revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LONG_WAIT", 0.1)
    revisions.add("index", ADD_INDEX)
    said: list[str] = []
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE") as blocker:
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said))
        await spoken(said, f"waiting for pid {blocker} (forgotten, ")
    await upgrading


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"pid": 0}, "a prepared transaction"),
        ({"pid": 7, "backend_type": "autovacuum worker"}, "pid 7 (autovacuum worker)"),
        ({"pid": 7}, "pid 7 (no application name, state hidden: grant pg_read_all_stats)"),
    ],
)
def test_whoever_blocks_is_described(row: dict[str, Any], words: str) -> None:
    unknown = dict.fromkeys(["application_name", "state", "backend_type", "age"])
    assert lock._describe(SimpleNamespace(**unknown | row)) == words


async def test_a_session_with_many_locks_is_named_once(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    async with open_transaction(url, "LOCK posts, users, events, co_authorships, counters") as blocker:
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said, attempts=1000))
        await spoken(said, "attempt 1 of 1000")
    await upgrading
    assert said[0].count(f"pid {blocker} ") == 1
