"""Rules about changes of data."""

import pytest
from safestep_support.linting import LOCK_TIMEOUT, LintedRevisions
from safestep_support.revisions import executing

OVER_A_WHOLE_TABLE = [
    "DELETE FROM posts",
    "DELETE FROM posts WHERE id = '1' OR views = 0",
    "UPDATE posts SET views = (SELECT 1 LIMIT 1)",
    "UPDATE posts SET views = 0 WHERE id = author_id",
    "INSERT INTO tags SELECT id, name FROM users",
    "INSERT INTO tags SELECT id, name FROM users UNION SELECT id, title FROM posts",
    "MERGE INTO tags t USING users u ON t.id = u.id WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM posts RETURNING id) SELECT count(*) FROM gone",
    "DELETE FROM posts WHERE author_id IN (SELECT id FROM users LIMIT 100)",
    "DELETE FROM posts WHERE id IN (SELECT id FROM posts LIMIT ALL)",
    "DELETE FROM posts WHERE id IN (SELECT id FROM posts LIMIT 1000000)",
    "DELETE FROM posts WHERE id IN (SELECT id FROM posts LIMIT (SELECT count(*) FROM posts))",
    "DELETE FROM posts WHERE id IN (SELECT id FROM posts)",
    "DELETE FROM posts WHERE id NOT IN (SELECT id FROM posts LIMIT 10)",
    "DELETE FROM posts WHERE id > ANY (SELECT id FROM posts LIMIT 10)",
    "DELETE FROM posts WHERE EXISTS (SELECT 1 FROM users LIMIT 1)",
    "DELETE FROM posts WHERE author_id = ANY (ARRAY(SELECT id FROM users LIMIT 10))",
    "DELETE FROM posts WHERE id = ANY (ARRAY(SELECT id FROM posts))",
    "DELETE FROM posts WHERE id = (SELECT posts.id)",
    "DELETE FROM posts WHERE id <> '1'",
    "DELETE FROM posts USING tags WHERE tags.id = '1'",
    "DELETE FROM posts p USING posts o WHERE p.id = o.id",
    "DELETE FROM posts USING tags TABLESAMPLE system (1) WHERE posts.id = tags.id",
    "UPDATE posts p SET views = 0 FROM tags t WHERE t.id = '1'",
    "UPDATE posts SET views = 0 FROM (SELECT id FROM posts LIMIT 10) AS batch",
    "UPDATE posts SET views = 0 FROM (SELECT id FROM posts LIMIT 10) b WHERE posts.author_id = b.id",
    "UPDATE posts SET views = 0 FROM (SELECT id FROM tags LIMIT 9) a, tags b WHERE posts.id = b.id",
    "WITH b AS (SELECT id FROM posts LIMIT 10) UPDATE posts SET views = 0",
    "WITH b AS (SELECT id FROM tags LIMIT 9) DELETE FROM posts WHERE id IN (SELECT id FROM users)",
    "WITH RECURSIVE b AS (SELECT 1 AS n UNION ALL SELECT n FROM b) DELETE FROM posts WHERE id IN (SELECT n FROM b)",
    "WITH gone AS (DELETE FROM posts RETURNING *) INSERT INTO tags SELECT id, title FROM gone",
    "INSERT INTO tags SELECT id, name FROM users, (SELECT 1 LIMIT 1) AS one",
    "INSERT INTO tags SELECT id, name FROM users JOIN (SELECT 1 LIMIT 1) AS one ON true",
    "INSERT INTO tags SELECT unnest(ARRAY(SELECT id FROM users))",
    "INSERT INTO tags SELECT * FROM unnest(ARRAY(SELECT id FROM users))",
    "MERGE INTO tags t USING (SELECT id FROM users LIMIT 9) u ON true WHEN MATCHED THEN DELETE",
]
ONE_BATCH = [
    "UPDATE posts SET views = 0 WHERE id IN ('1', '2') AND views IS NULL",
    "UPDATE posts SET views = 0 WHERE '1' = id",
    "UPDATE posts AS p SET views = 0 WHERE p.id = '1'::uuid",
    "UPDATE posts SET views = 0 WHERE id = ANY ('{1,2}')",
    "UPDATE posts SET views = 0 WHERE id IN (SELECT post_id FROM flags FETCH FIRST ROW ONLY)",
    "UPDATE posts SET views = 0 FROM users WHERE posts.id = '1' AND author_id = users.id",
    "UPDATE posts SET views = 0 FROM (SELECT author_id AS a FROM posts LIMIT 9) AS b WHERE id = a",
    "UPDATE posts SET views = 0 FROM (VALUES ('1', 2)) AS given (id, views) WHERE posts.id = given.id",
    "UPDATE posts SET views = 0 FROM tags t, (SELECT id FROM tags LIMIT 9) b WHERE b.id = posts.id AND t.id = b.id",
    "UPDATE posts SET views = 0 FROM tags t JOIN (SELECT id FROM tags LIMIT 9) b ON b.id = t.id WHERE posts.id = b.id",
    "DELETE FROM posts WHERE ctid IN (SELECT ctid FROM posts LIMIT 10)",
    "DELETE FROM posts WHERE id IN (SELECT id FROM (SELECT id FROM posts LIMIT 10) AS batch)",
    "WITH b AS (SELECT id FROM tags LIMIT 9), c AS (SELECT id FROM b) DELETE FROM tags WHERE id IN (SELECT id FROM c)",
    "WITH b AS (DELETE FROM posts WHERE id = '1' RETURNING id) INSERT INTO tags SELECT id FROM b",
    "MERGE INTO tags t USING (VALUES ('1')) AS v (id) ON t.id = v.id WHEN MATCHED THEN DELETE",
    "INSERT INTO tags SELECT '1', 'news' WHERE NOT EXISTS (SELECT 1 FROM tags WHERE name = 'news')",
    "INSERT INTO tags SELECT '1', 'news' WHERE '1' <> ALL (ARRAY(SELECT name FROM tags))",
    "INSERT INTO tags SELECT '1', 'a' UNION ALL SELECT '2', 'b'",
    "INSERT INTO tags DEFAULT VALUES",
    "UPDATE posts SET views = 0 FROM (SELECT id FROM posts LIMIT 10) AS batch WHERE posts.id = batch.id",
    "WITH batch AS (SELECT id FROM tags LIMIT 10) DELETE FROM tags USING batch WHERE tags.id = batch.id",
    "DELETE FROM posts WHERE id = ANY (ARRAY(SELECT id FROM posts LIMIT 10))",
    "INSERT INTO tags SELECT id, name FROM users LIMIT 10",
    "INSERT INTO tags (id) SELECT gen_random_uuid() FROM generate_series(1, 3)",
]


@pytest.mark.parametrize("sql", OVER_A_WHOLE_TABLE)
def test_a_change_over_a_whole_table_is_found(sql: str, linted: LintedRevisions) -> None:
    assert {*linted.rules_of(LOCK_TIMEOUT, sql)} == {"unbatched-change"}


@pytest.mark.parametrize("sql", ONE_BATCH)
def test_a_change_of_one_batch_is_left_alone(sql: str, linted: LintedRevisions) -> None:
    assert linted.rules_of(LOCK_TIMEOUT, sql) == []


@pytest.mark.parametrize(
    ("key", "condition", "is_batch"),
    [
        ("ALTER TABLE users ADD UNIQUE (email)", "email = 'a'", True),
        ("CREATE UNIQUE INDEX i ON users (email)", "email IN ('a', 'b')", True),
        ("CREATE UNIQUE INDEX i ON users (email) WHERE email IS NOT NULL", "email = 'a'", True),
        ("ALTER TABLE users ADD UNIQUE (email, name)", "email = 'a' AND name = 'b'", True),
        (
            "ALTER TABLE users ADD UNIQUE (email, name)",
            "(email, name) IN (SELECT email, name FROM users LIMIT 9)",
            True,
        ),
        ("ALTER TABLE users ADD UNIQUE (email, name)", "email = 'a'", False),
        ("ALTER TABLE users ADD UNIQUE (email, name)", "email = 'a' OR name = 'b'", False),
        ("ALTER TABLE users ADD UNIQUE (email)", "email LIKE 'a%'", False),
        ("ALTER TABLE users ADD UNIQUE (email)", "email = name", False),
        ("CREATE INDEX i ON users (email)", "email = 'a'", False),
        ("CREATE UNIQUE INDEX i ON users (email) WHERE name = ''", "email = 'a'", False),
        ("CREATE UNIQUE INDEX i ON users (lower(email))", "email = 'a'", False),
        (
            "CREATE UNIQUE INDEX i ON users (email);\nDROP INDEX i;\nCREATE INDEX i ON users (email)",
            "email = 'a'",
            False,
        ),
    ],
)
def test_a_row_may_be_named_by_any_key_of_its_table(
    key: str, condition: str, is_batch: bool, linted: LintedRevisions
) -> None:
    linted.write(executing(*key.split(";\n")), name="zero")
    linted.write(f"op.execute({f'DELETE FROM users WHERE {condition}'!r})", after="zero")
    assert linted.violated() == ([] if is_batch else ["unbatched-change"])


def test_an_enum_that_the_revision_creates_may_be_used_at_once(linted: LintedRevisions) -> None:
    create, add = "CREATE TYPE mood AS ENUM ('fair')", "ALTER TYPE mood ADD VALUE 'good'"
    assert linted.rules_of(create, add, "SELECT 'good'::mood") == []


def test_a_value_may_be_used_in_a_later_transaction(linted: LintedRevisions) -> None:
    body = "op.execute(\"ALTER TYPE state ADD VALUE 'old'\")\nwith op.get_context().autocommit_block():\n    pass\n"
    assert linted.rules(f"{body}op.execute(\"SELECT 'old'::state\")") == []
