"""An upgrade that was killed at any statement, and run again, ends where one that wasn't does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.util import CommandError
from safestep.migrations.lock import RUNNER
from safestep_support.databases import Clone, ask, dumped, execute, open_transaction, until
from safestep_support.revisions import KILLED, Revisions, on_change
from sqlalchemy.engine import URL

EVERY_STEP = """
    safestep.add_index_concurrently("ix_posts_title", "posts", ["title"], postgresql_where=sa.text("title <> ''"))
    safestep.add_index_concurrently("uq_posts_reviewer_id_id", "posts", ["reviewer_id", "id"], unique=True)
    safestep.add_foreign_key_not_valid("fk_posts_reviewer_id_users", "posts", "users", ["reviewer_id"], ["id"])
    safestep.validate_constraint("fk_posts_reviewer_id_users", "posts")
    safestep.batched_backfill(
        "posts", {"title": "title || '!'", "reviewer_id": "author_id"}, where="body <> 'a:b'", batch=2, pause=0
    )
    safestep.set_not_null_safely("posts", "slug")
    safestep.drop_index_concurrently("ix_posts_drafts", "posts")
    op.add_column("users", sa.Column("nickname", sa.Text()))
"""
ROWS = """
    WITH made AS (INSERT INTO users (id, name) VALUES (gen_random_uuid(), 'someone') RETURNING id)
    INSERT INTO posts (id, author_id, title, slug, body)
    SELECT gen_random_uuid(), made.id, 'title ' || n, 'slug-' || n, CASE n WHEN 3 THEN 'a:b' ELSE '' END
    FROM made, generate_series(1, 5) AS n
"""
ROWS_AFTER = """
    SELECT array_agg(title || (reviewer_id IS NULL)::text ORDER BY title), (SELECT version_num FROM alembic_version)
    FROM posts
"""
INVALID = "SELECT array_agg(indexrelid::regclass::text) FROM pg_index WHERE NOT indisvalid"

BACKENDS = f"""
    SELECT pid, wait_event_type FROM pg_stat_activity
    WHERE application_name = '{RUNNER}' AND datname = current_database()
"""


@pytest.fixture
def revisions(tmp_path: Path) -> Revisions:
    made = Revisions(tmp_path)
    made.add("expand1", 'op.add_column("posts", sa.Column("reviewer_id", sa.Uuid()))')
    made.add("expand2", EVERY_STEP)
    return made


@pytest.fixture
async def filled(template: URL) -> AsyncIterator[URL]:
    """A database with rows, to be copied for every kill."""
    async with Clone(template) as url:
        await execute(url, ROWS)
        yield url


async def outcome(url: URL) -> Any:
    return await asyncio.to_thread(dumped, url), await execute(url, ROWS_AFTER), await execute(url, INVALID)


def terminate_migration(url: URL) -> None:
    ask(url, f"SELECT pg_terminate_backend(pid, 5000) FROM ({BACKENDS}) AS backend")


async def undisturbed(revisions: Revisions, filled: URL) -> tuple[Any, list[str]]:
    """What an upgrade that nobody kills leaves behind, and the changes it makes on the way."""
    async with Clone(filled) as url:
        with on_change(lambda *_: None) as changes:
            await asyncio.to_thread(revisions.upgrade, url)
        return await outcome(url), changes


async def kill_everywhere(revisions: Revisions, filled: URL, kill: Callable[[URL, int], None], *drivers: str) -> None:
    """The drivers take turns."""
    expected, changes = await undisturbed(revisions, filled)
    assert len(changes) > 15
    for number, change in enumerate(changes):
        async with Clone(filled, driver=drivers[number % 2]) as url:
            await asyncio.to_thread(kill, url, number)
            await asyncio.to_thread(revisions.upgrade, url)
            assert await outcome(url) == expected, f"killed before {change}"


async def test_a_killed_process_is_made_good_by_the_next_one(revisions: Revisions, filled: URL) -> None:
    def kill(url: URL, number: int) -> None:
        process = revisions.upgrade_in_process(url, die_before=number)
        process.join()
        assert process.exitcode == KILLED

    await kill_everywhere(revisions, filled, kill, "asyncpg", "psycopg")


async def test_a_terminated_backend_is_one_line_and_made_good_by_the_next_run(
    revisions: Revisions, filled: URL
) -> None:
    def kill(url: URL, number: int) -> None:
        def hook(current: int, _statement: str) -> None:
            if current == number:
                terminate_migration(url)

        with on_change(hook), pytest.raises(CommandError) as failed:
            revisions.upgrade(url)
        assert len(str(failed.value).splitlines()) == 1

    await kill_everywhere(revisions, filled, kill, "psycopg", "asyncpg")


async def test_an_index_build_whose_process_was_killed_is_ended_and_done_again(template: URL, tmp_path: Path) -> None:
    revisions = Revisions(tmp_path)
    revisions.add("slow", 'safestep.add_index_concurrently("ix_posts_title", "posts", ["title"])')
    said: list[str] = []
    async with Clone(template) as url:
        async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
            process = revisions.upgrade_in_process(url)
            await until(url, f"SELECT count(*) > 0 FROM ({BACKENDS}) AS b WHERE wait_event_type = 'Lock'")
            process.kill()
            process.join()
            orphan = await execute(url, BACKENDS)
            upgrading = asyncio.create_task(asyncio.to_thread(revisions.upgrade, url, said=said))
            await until(url, f"SELECT count(*) > 0 FROM ({BACKENDS}) AS b WHERE pid <> {orphan[0]}")
            assert await execute(url, INVALID) == (["ix_posts_title"],)
        await upgrading
        assert said[0].endswith(f"(pid {orphan[0]})")
        assert await execute(url, INVALID) == (None,)
