"""Rows, changes and questions that several tests use."""

import asyncio

from safestep.migrations.lock import RUNNER

POSTS = """
    WITH made AS (INSERT INTO users (id, name) VALUES (gen_random_uuid(), 'someone') RETURNING id)
    INSERT INTO posts (id, author_id, title, body)
    SELECT gen_random_uuid(), made.id, n::text, CASE n WHEN 1 THEN ' :is' ELSE '' END
    FROM made, generate_series(1, {}) AS n
"""
CO_AUTHORS = """
    WITH person AS (INSERT INTO users (id, name) SELECT gen_random_uuid(), n::text FROM generate_series(1, 3) AS n
                    RETURNING id),
         post AS (INSERT INTO posts (id, author_id, title, body)
                  SELECT gen_random_uuid(), id, 'title', '' FROM person RETURNING id)
    INSERT INTO co_authorships (post_id, user_id, position) SELECT post.id, person.id, 1 FROM post, person
"""
READ = "SELECT count(*) FROM posts"
VERSION = "SELECT version_num FROM alembic_version"
ADD_COLUMN = 'op.add_column("posts", sa.Column("extra", sa.Text()))'
ADD_INDEX = 'safestep.add_index_concurrently("ix_posts_title", "posts", ["title"])'
HAS_COLUMN = "SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = 'posts'::regclass AND attname = 'extra'"
HAS_INDEX = "SELECT count(*) = 1 FROM pg_index WHERE indexrelid = to_regclass('ix_posts_title') AND indisvalid"
WAITS_LONG = f"""
    SELECT count(*) = 1 FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = '{RUNNER}' AND wait_event_type = 'Lock'
      AND clock_timestamp() - query_start > interval '0.5 s'
"""


async def spoken(said: list[str], words: str) -> None:
    """Returns when the run has announced a line with these words."""
    async with asyncio.timeout(20):
        while True:
            if any(words in line for line in said):
                return
            await asyncio.sleep(0.005)
