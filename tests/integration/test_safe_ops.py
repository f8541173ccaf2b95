"""The helpers for revisions: what each does to a database, by itself and as the SQL that it prints."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from app.db import migrations
from app.db.embedded import binary
from app.db.migration_runner import RunOptions
from tests.support.application import make_settings
from tests.support.database import ask, plain
from tests.support.revisions import Revisions
from tests.support.server import Clone

DRIVERS = ["asyncpg", "psycopg"]
SMILES = """
    safe_ops.add_check_not_valid("ck_posts_smile", "posts", "title <> ' :smile' AND body <> '(:x)'")
    safe_ops.add_index_concurrently("ix_posts_smile", "posts", ["title"], postgresql_where="title <> ' :smile'")
    safe_ops.batched_backfill("posts", {"body": "' :was'"}, where="body = ' :is'")
    safe_ops.set_not_null_safely("posts", "a :b")
"""
SMILED = """
    SELECT pg_get_constraintdef((SELECT oid FROM pg_constraint WHERE conname = 'ck_posts_smile')),
           pg_get_indexdef('ix_posts_smile'::regclass),
           (SELECT array_agg(body ORDER BY body) FROM posts),
           (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'posts'::regclass AND attname = 'a :b')
"""
POSTS = """
    WITH made AS (INSERT INTO users (id, name) VALUES (gen_random_uuid(), 'someone') RETURNING id)
    INSERT INTO posts (id, author_id, title, body)
    SELECT gen_random_uuid(), made.id, n::text, CASE n WHEN 1 THEN ' :is' ELSE '' END
    FROM made, generate_series(1, {}) AS n
"""


@pytest.fixture
def revisions(tmp_path: Path) -> Revisions:
    return Revisions(tmp_path)


@pytest.fixture
async def url(template: URL) -> AsyncIterator[URL]:
    async with Clone(template) as url:
        yield url


@pytest.fixture(params=DRIVERS)
async def either(request: pytest.FixtureRequest, template: URL) -> AsyncIterator[URL]:
    """A database of this test's own, once through each driver."""
    async with Clone(template, driver=request.param) as url:
        yield url


async def upgrade(revisions: Revisions, url: URL, **options: Any) -> list[str]:
    return await asyncio.to_thread(revisions.upgrade, url, **options)


async def printed(revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]) -> str:
    options = RunOptions(settings=make_settings(url))
    await asyncio.to_thread(migrations.print_upgrade, url, "head", options, root=revisions.root)
    return capsys.readouterr().out


async def pipe(sql: str, url: URL) -> "subprocess.CompletedProcess[str]":
    """What comes of it in psql, as somebody would use what `--sql` prints."""
    command = [binary("psql"), "--no-psqlrc", "--quiet", "--dbname", plain(url)]
    return await asyncio.to_thread(subprocess.run, command, input=sql, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("way", ["run"])
async def test_a_colon_in_a_revisions_sql_stays_a_colon(
    revisions: Revisions, either: URL, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    ask(either, POSTS.format(2))
    ask(either, 'ALTER TABLE posts ADD "a :b" int DEFAULT 1')
    revisions.add("smiles", SMILES)
    if way == "run":
        await upgrade(revisions, either)
    else:
        done = await pipe(await printed(revisions, either, capsys), either)
        assert not done.stderr
    ((check, index, bodies, is_required),) = ask(either, SMILED)
    assert "' :smile'" in check
    assert "'(:x)'" in check
    assert "' :smile'" in index
    assert (bodies, is_required) == (["", " :was"], True)
