"""Constraints on tables in use."""

import asyncio

import pytest
from alembic.util import CommandError
from safestep_support.databases import ask, open_transaction, until
from safestep_support.revisions import Revisions, upgrade
from safestep_support.samples import POSTS, VERSION, WAITS_LONG
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError


async def test_a_not_null_that_was_left_half_done_is_finished(revisions: Revisions, url: URL) -> None:
    """The name of its check is cut by bytes, as PostgreSQL cuts it."""
    column = "ü" * 25
    ask(url, f'ALTER TABLE posts ADD "{column}" int')
    ask(url, POSTS.format(1))
    revisions.add("required", f'safestep.set_not_null_safely("posts", "{column}")')
    with pytest.raises(IntegrityError):
        await upgrade(revisions, url)
    ask(url, f'UPDATE posts SET "{column}" = 1')
    await upgrade(revisions, url)
    left = "SELECT count(*) FROM pg_constraint WHERE conname ~ '^ck_posts_ü'"
    required = f"SELECT attnotnull FROM pg_attribute WHERE attname = '{column}' AND attrelid = 'posts'::regclass"
    assert ask(url, left) + ask(url, required) == [(0,), (True,)]


async def test_a_constraint_is_validated_for_a_long_time(revisions: Revisions, url: URL) -> None:
    ask(url, "ALTER TABLE posts ADD CONSTRAINT ck_posts_title CHECK (title <> 'x') NOT VALID")
    revisions.add("validate", 'safestep.validate_constraint("ck_posts_title", "posts")')
    async with open_transaction(url, "LOCK TABLE posts IN SHARE UPDATE EXCLUSIVE MODE"):
        upgrading = asyncio.create_task(upgrade(revisions, url, attempts=1))
        await until(url, WAITS_LONG)
    await upgrading
    assert ask(url, "SELECT convalidated FROM pg_constraint WHERE conname = 'ck_posts_title'") == [(True,)]


async def test_a_not_null_that_rows_still_break_is_not_taken_for_done(revisions: Revisions, url: URL) -> None:
    if ask(url, "SELECT current_setting('server_version_num')::int < 180000") == [(True,)]:
        pytest.skip("before PostgreSQL 18 there is none")
    ask(url, POSTS.format(1))
    ask(url, "ALTER TABLE posts ADD CONSTRAINT nn_posts_slug NOT NULL slug NOT VALID")
    revisions.add("required", 'safestep.set_not_null_safely("posts", "slug")')
    with pytest.raises(IntegrityError):
        await upgrade(revisions, url)
    ask(url, "UPDATE posts SET slug = title")
    await upgrade(revisions, url)
    assert ask(url, "SELECT convalidated FROM pg_constraint WHERE conname = 'nn_posts_slug'") == [(True,)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('safestep.validate_constraint("ck_none", "posts")', "posts has no constraint 'ck_none'"),
        ('safestep.add_index_concurrently("ix_users_created_at_id", "posts", ["id"])', "there is another index"),
        ('safestep.add_index_concurrently("uq_posts_slug", "posts", ["slug"])', "there is another index"),
        ('safestep.batched_backfill("posts", {"slug": "title"}, key="key")', "posts has no column key"),
    ],
)
async def test_a_safe_step_says_what_is_wrong_with_its_arguments(
    revisions: Revisions, url: URL, body: str, reason: str
) -> None:
    revisions.add("wrong", body)
    with pytest.raises(CommandError, match=reason):
        await upgrade(revisions, url)


@pytest.mark.parametrize(
    ("there", "call"),
    [
        ("CREATE INDEX ix_taken ON posts (title)", 'add_index_concurrently("ix_taken", "posts", ["body"])'),
        ("CREATE INDEX ix_taken ON posts (title)", 'add_index_concurrently("ix_taken", "posts", ["title", "body"])'),
        ("CREATE INDEX ix_taken ON posts (title, body)", 'add_index_concurrently("ix_taken", "posts", ["title"])'),
        (
            "CREATE INDEX ix_taken ON posts (title)",
            'add_index_concurrently("ix_taken", "posts", ["title"], unique=True)',
        ),
        (
            "CREATE INDEX ix_taken ON posts (title) WHERE title > ''",
            'add_index_concurrently("ix_taken", "posts", ["title"])',
        ),
        (
            "CREATE INDEX ix_taken ON posts (title)",
            'add_index_concurrently("ix_taken", "posts", ["title"], postgresql_where="title > \'\'")',
        ),
        (
            "CREATE INDEX ix_taken ON posts (title) INCLUDE (body)",
            'add_index_concurrently("ix_taken", "posts", ["title"], postgresql_include=["slug"])',
        ),
        (
            "CREATE INDEX ix_taken ON posts USING hash (title)",
            'add_index_concurrently("ix_taken", "posts", ["title"])',
        ),
        (
            "CREATE INDEX ix_taken ON users (name)",
            'add_index_concurrently("ix_taken", "posts", ["name"])',
        ),
        (
            "ALTER TABLE posts ADD r uuid, ADD CONSTRAINT taken FOREIGN KEY (r) REFERENCES users",
            'add_foreign_key_not_valid("taken", "posts", "users", ["author_id"], ["id"])',
        ),
        (
            "ALTER TABLE posts ADD r uuid, ADD CONSTRAINT taken FOREIGN KEY (r) REFERENCES users",
            'add_foreign_key_not_valid("taken", "posts", "posts", ["r"], ["id"])',
        ),
        (
            "ALTER TABLE posts ADD r uuid, ADD CONSTRAINT taken FOREIGN KEY (r) REFERENCES users",
            'add_foreign_key_not_valid("taken", "posts", "users", ["r"], ["id"], ondelete="SET NULL")',
        ),
        (
            "ALTER TABLE posts ADD CONSTRAINT taken CHECK (title > '')",
            'add_foreign_key_not_valid("taken", "posts", "users", ["author_id"], ["id"])',
        ),
        (
            "ALTER TABLE posts ADD CONSTRAINT taken UNIQUE (title)",
            """add_check_not_valid("taken", "posts", "title > ''")""",
        ),
    ],
)
async def test_another_object_of_the_same_name_is_not_taken_for_done(
    revisions: Revisions, live_url: URL, there: str, call: str
) -> None:
    ask(live_url, there)
    revisions.add("same", f"safestep.{call}")
    with pytest.raises(CommandError, match=r"there is another index|another constraint") as one:
        await upgrade(revisions, live_url)
    assert len(str(one.value).splitlines()) == 1


async def test_the_same_object_is_taken_for_done(revisions: Revisions, live_url: URL) -> None:
    body = """
        safestep.add_index_concurrently(
            "ix_done", "posts", [sa.text("lower(title)"), "body"], unique=True, postgresql_using="BTREE",
            postgresql_where=sa.text("title > ''"), postgresql_include=["slug"],
        )
        safestep.add_foreign_key_not_valid(
            "fk_done", "co_authorships", "users", ["user_id"], ["id"], ondelete="Restrict", onupdate="CASCADE"
        )
        safestep.add_check_not_valid("ck_done", "posts", "title > ''")
    """
    revisions.add("once", body)
    revisions.add("twice", body)
    await upgrade(revisions, live_url)
    assert ask(live_url, VERSION) == [("twice",)]
