"""Indexes of tables in use: built, dropped and rebuilt, also after a failure."""

import asyncio

import pytest
from alembic.util import CommandError
from safestep_support.databases import ask, execute, open_transaction, until
from safestep_support.revisions import Revisions, on_change, upgrade
from safestep_support.samples import ADD_INDEX, HAS_INDEX, WAITS_LONG
from sqlalchemy.engine import URL

INDEXES = """
    SELECT relname, relfilenode FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = 'posts'::regclass
    ORDER BY relname
"""


async def test_an_index_build_waits_for_old_transactions_longer_than_for_locks(revisions: Revisions, url: URL) -> None:
    revisions.add("index", ADD_INDEX)
    said: list[str] = []
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said))
        await until(url, WAITS_LONG)
    await upgrading
    assert "attempt" not in said[0]
    assert await execute(url, HAS_INDEX) == (True,)


async def test_an_index_that_was_left_invalid_is_built_again(revisions: Revisions, url: URL) -> None:
    revisions.add("index", ADD_INDEX)
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
        with pytest.raises(CommandError, match="statement timeout"):
            await upgrade(revisions, url, concurrent_timeout=0.2)
    assert await execute(url, HAS_INDEX) == (False,)
    with on_change(lambda *_: None) as changes:
        await upgrade(revisions, url)
    assert changes[0] == "DROP INDEX CONCURRENTLY IF EXISTS ix_posts_title"
    assert await execute(url, HAS_INDEX) == (True,)


@pytest.mark.parametrize("name", ["ix_Posts.title", f"ix_{'ü' * 30}"])
async def test_an_index_is_rebuilt_also_after_a_failure(revisions: Revisions, live_url: URL, name: str) -> None:
    ask(live_url, f'CREATE INDEX "{name}" ON posts (title)')
    before = ask(live_url, INDEXES)
    revisions.add("rebuild", f'safestep.reindex_concurrently("{name}")')
    for _ in range(2):
        async with open_transaction(live_url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
            with pytest.raises(CommandError, match="statement timeout"):
                await upgrade(revisions, live_url, concurrent_timeout=0.2)
    assert len(ask(live_url, INDEXES)) > len(before)
    await upgrade(revisions, live_url)
    after = ask(live_url, INDEXES)
    assert [index[0] for index in after] == [index[0] for index in before]
    assert [new for new, _ in set(after) - set(before)] == [name]


async def test_the_leftovers_of_another_index_stay(revisions: Revisions, url: URL) -> None:
    ask(url, "CREATE INDEX ix_a ON posts (title)")
    revisions.add("other", 'safestep.reindex_concurrently("ix_a")')
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
        with pytest.raises(CommandError, match="statement timeout"):
            await upgrade(revisions, url, concurrent_timeout=0.2)
    ask(url, "CREATE INDEX ix_ab ON posts (title)")
    (revisions.versions / "other.py").unlink()
    revisions.add("rebuild", 'safestep.reindex_concurrently("ix_ab")')
    await upgrade(revisions, url)
    assert [name for name, *_ in ask(url, INDEXES) if "_cc" in name] == ["ix_a_ccnew"]


async def test_a_rebuild_waits_for_old_transactions_for_a_long_time(revisions: Revisions, url: URL) -> None:
    revisions.add("rebuild", 'safestep.reindex_concurrently("ix_posts_drafts")')
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
        upgrading = asyncio.create_task(upgrade(revisions, url, attempts=1))
        await until(url, WAITS_LONG)
    await upgrading


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ('reindex_concurrently("posts")', "there is no index 'posts'"),
        ('refresh_concurrently("posts")', "there is no materialized view 'posts'"),
    ],
)
async def test_what_is_not_there_is_named(revisions: Revisions, url: URL, call: str, reason: str) -> None:
    revisions.add("wrong", f"safestep.{call}")
    with pytest.raises(CommandError, match=reason):
        await upgrade(revisions, url)
