"""Materialized views in use."""

import asyncio

import pytest
from safestep_support.databases import ask, open_transaction, until
from safestep_support.printing import pipe, printed
from safestep_support.revisions import KILLED, Revisions, upgrade
from safestep_support.samples import POSTS, VERSION, WAITS_LONG
from sqlalchemy.engine import URL

VIEW = 'CREATE MATERIALIZED VIEW "Counts" AS SELECT author_id, count(*) AS posts FROM posts GROUP BY 1 WITH NO DATA'


async def test_a_view_is_refreshed_while_it_is_read(revisions: Revisions, live_url: URL) -> None:
    ask(live_url, VIEW)
    ask(live_url, 'CREATE UNIQUE INDEX uq_counts ON "Counts" (author_id)')
    revisions.add("first", 'safestep.refresh_concurrently("Counts", schema="public")')
    await upgrade(revisions, live_url)
    ask(live_url, POSTS.format(3))
    revisions.add("second", 'safestep.refresh_concurrently("Counts", schema="public")')
    async with open_transaction(live_url, 'SELECT count(*) FROM "Counts"'):
        await upgrade(revisions, live_url)
    assert ask(live_url, 'SELECT posts FROM "Counts"') == [(3,)]


async def test_a_refresh_waits_for_another_for_a_long_time(revisions: Revisions, url: URL) -> None:
    ask(url, VIEW.replace("NO DATA", "DATA"))
    ask(url, 'CREATE UNIQUE INDEX uq_counts ON "Counts" (author_id)')
    revisions.add("refresh", 'safestep.refresh_concurrently("Counts")')
    async with open_transaction(url, 'REFRESH MATERIALIZED VIEW CONCURRENTLY "Counts"'):
        upgrading = asyncio.create_task(upgrade(revisions, url, attempts=1))
        await until(url, WAITS_LONG)
    await upgrading


async def test_rebuilding_and_refreshing_are_printed(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(url, VIEW.replace("NO DATA", "DATA"))
    ask(url, 'CREATE UNIQUE INDEX uq_counts ON "Counts" (author_id)')
    revisions.add("both", 'safestep.reindex_concurrently("uq_counts")\nsafestep.refresh_concurrently("Counts")')
    sql = await printed(revisions, url, capsys)
    assert "REINDEX INDEX CONCURRENTLY uq_counts;" in sql
    assert 'REFRESH MATERIALIZED VIEW CONCURRENTLY "Counts";' in sql
    done = await pipe(sql, url)
    assert not done.returncode, done.stderr


async def test_a_rebuild_and_a_refresh_that_were_killed_before_they_were_recorded_are_done_again(
    revisions: Revisions, url: URL
) -> None:
    ask(url, VIEW.replace("NO DATA", "DATA"))
    ask(url, 'CREATE UNIQUE INDEX uq_counts ON "Counts" (author_id)')
    revisions.add("both", 'safestep.reindex_concurrently("uq_counts")\nsafestep.refresh_concurrently("Counts")')
    process = revisions.upgrade_in_process(url, die_before=0)
    await asyncio.to_thread(process.join)
    assert process.exitcode == KILLED
    await upgrade(revisions, url)
    assert ask(url, VERSION) == [("both",)]
