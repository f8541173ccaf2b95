"""Rules about indexes: those of foreign keys, and those that are built concurrently."""

import pytest
from safestep_support.linting import LOCK_TIMEOUT, OUTSIDE_OF_TRANSACTION, SET_LOCK_TIMEOUT, LintedRevisions


def test_an_index_of_an_earlier_revision_serves_a_foreign_key(linted: LintedRevisions) -> None:
    block = "with op.get_context().autocommit_block():\n"
    create = "    op.create_index('ix_posts_author', 'posts', ['author_id'], postgresql_concurrently=True)"
    key = SET_LOCK_TIMEOUT + "op.execute('ALTER TABLE posts ADD FOREIGN KEY (author_id) REFERENCES users NOT VALID')"
    linted.write(key, name="one", after="zero")
    linted.write(block + create, name="zero")
    assert linted.lint().findings == []
    linted.write("pass", name="zero")
    assert linted.violated() == ["foreign-key-without-index"]


@pytest.mark.parametrize(
    "index",
    [
        "CREATE INDEX i ON likes (post_id) WHERE liked",
        "CREATE INDEX i ON likes (liked, post_id)",
        "CREATE INDEX i ON likes USING brin (post_id)",
        "CREATE INDEX i ON likes ((post_id::text))",
        "CREATE INDEX i ON likes (post_id);\nDROP INDEX i",
    ],
)
def test_an_index_that_a_foreign_key_cannot_use_does_not_count(index: str, linted: LintedRevisions) -> None:
    table = "CREATE TABLE likes (id uuid, post_id uuid REFERENCES posts, liked boolean)"
    assert linted.rules_of(LOCK_TIMEOUT, table, index) == ["foreign-key-without-index"]


def test_an_index_that_became_a_constraint_serves_a_foreign_key(linted: LintedRevisions) -> None:
    table = "CREATE TABLE likes (id uuid, post_id uuid REFERENCES posts)"
    index = "CREATE UNIQUE INDEX uq_likes ON likes (post_id)"
    constraint = "ALTER TABLE likes ADD CONSTRAINT uq_likes UNIQUE USING INDEX uq_likes"
    assert linted.rules_of(LOCK_TIMEOUT, table, index, constraint) == []


def test_a_foreign_key_that_is_gone_in_the_end_needs_no_index(linted: LintedRevisions) -> None:
    create = "CREATE TABLE likes (id uuid, post_id uuid REFERENCES posts)"
    assert linted.rules_of(LOCK_TIMEOUT, create, "DROP TABLE likes") == []


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["CREATE INDEX CONCURRENTLY i ON posts (title)"], ["concurrently-by-hand"]),
        (["CREATE INDEX CONCURRENTLY ON posts (title)"], ["concurrently-by-hand"]),
        (["CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON posts (title)"], ["concurrent-index-if-not-exists"]),
        (["DROP INDEX CONCURRENTLY IF EXISTS i", "CREATE INDEX CONCURRENTLY i ON posts (title)"], []),
        (
            ["DROP INDEX CONCURRENTLY i", "CREATE INDEX CONCURRENTLY i ON posts (title)"],
            ["concurrently-by-hand"],
        ),
        (
            ["DROP INDEX CONCURRENTLY IF EXISTS other", "CREATE INDEX CONCURRENTLY i ON posts (title)"],
            ["concurrently-by-hand"],
        ),
        (["REINDEX INDEX CONCURRENTLY ix_posts_slug"], ["concurrently-by-hand"]),
        (["REINDEX (CONCURRENTLY) TABLE posts"], ["concurrently-by-hand"]),
        (["REFRESH MATERIALIZED VIEW CONCURRENTLY counts"], ["concurrently-by-hand"]),
    ],
)
def test_what_runs_concurrently_is_safe_to_repeat(
    statements: list[str], found: list[str], linted: LintedRevisions
) -> None:
    body = OUTSIDE_OF_TRANSACTION + "\n".join(f"    op.execute({statement!r})" for statement in statements)
    assert linted.rules(body) == found
