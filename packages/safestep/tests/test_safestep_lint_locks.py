"""Rules about strong locks, and the timeout of the wait for them."""

from textwrap import indent

import pytest
from safestep_support.linting import LOCK_TIMEOUT, OUTSIDE_OF_TRANSACTION, SET_LOCK_TIMEOUT, LintedRevisions
from safestep_support.revisions import executing

UNBOUNDED = [
    "SELECT set_config('lock_timeout', '0', true)",
    "SET lock_timeout = '0ms'",
    "SET lock_timeout = '400us'",
    "SET lock_timeout = '2 s 3'",
    "SET lock_timeout = '1.2.3'",
    "SET lock_timeout = '1e999'",
    "SET lock_timeout = -1",
    "SET lock_timeout = 61000",
    "SET lock_timeout = '1 h'",
    "SET lock_timeout = '1d'",
    'SET "LOCK_TIMEOUT" = 0',
    "SELECT set_config('Lock_Timeout', '0', false)",
    "SELECT set_config('lock_timeout'::text, '0'::text, false)",
    "SELECT set_config(is_local => false, setting_name => 'lock_timeout', new_value => '0')",
    "SELECT set_config('lock_timeout', new_value => '0', is_local => true)",
    "ALTER ROLE app SET lock_timeout = 0",
    "ALTER ROLE app IN DATABASE posts SET lock_timeout TO '1h'",
    "ALTER DATABASE posts SET lock_timeout = 0",
    "ALTER FUNCTION f() SET lock_timeout = 0",
]
BOUNDED = [
    "SET lock_timeout = 60000",
    "SET lock_timeout = ' 0.5 min '",
    "ALTER ROLE app SET lock_timeout = '2s'",
    "ALTER ROLE app RESET lock_timeout",
    "SELECT set_config('lock_timeout', '2s')",
]


@pytest.mark.parametrize("sql", UNBOUNDED)
def test_a_lock_timeout_that_bounds_nothing_is_found(sql: str, linted: LintedRevisions) -> None:
    assert linted.rules_of(LOCK_TIMEOUT, sql) == ["lock-timeout-off"]


def test_a_server_without_a_lock_timeout_is_found(linted: LintedRevisions) -> None:
    found = linted.rules(OUTSIDE_OF_TRANSACTION + indent(executing("ALTER SYSTEM SET lock_timeout = 0"), "    "))
    assert found == ["lock-timeout-off"]


@pytest.mark.parametrize("sql", BOUNDED)
def test_a_lock_timeout_that_is_short_is_left_alone(sql: str, linted: LintedRevisions) -> None:
    assert linted.rules_of(LOCK_TIMEOUT, sql) == []


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ([LOCK_TIMEOUT], []),
        (["SET lock_timeout TO 1500"], []),
        (["SELECT set_config('lock_timeout', '2s', false)"], []),
        (["SELECT set_config(new_value => '2s', setting_name => 'Lock_timeout', is_local => true)"], []),
        (["ALTER ROLE app SET lock_timeout = '2s'"], ["lock-without-timeout"]),
        (["SELECT set_config('lock_timeout', current_setting('my.timeout'), false)"], []),
        ([], ["lock-without-timeout"]),
        (["SET statement_timeout = '2s'"], ["lock-without-timeout"]),
        ([LOCK_TIMEOUT, "RESET lock_timeout"], ["lock-without-timeout"]),
        ([LOCK_TIMEOUT, "SET lock_timeout TO DEFAULT"], ["lock-without-timeout"]),
        (["SET lock_timeout = '2s'", "RESET ALL"], ["lock-without-timeout"]),
    ],
)
def test_a_strong_lock_needs_a_timeout(settings: list[str], found: list[str], linted: LintedRevisions) -> None:
    assert linted.rules_of(*settings, "DROP TRIGGER stamp ON posts") == found


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE POLICY own ON posts USING (true)",
        "DROP POLICY own ON posts",
        "CREATE RULE quiet AS ON DELETE TO posts DO INSTEAD NOTHING",
        "CREATE TABLE likes (id uuid PRIMARY KEY REFERENCES posts)",
        "CREATE TABLE likes (id uuid PRIMARY KEY, FOREIGN KEY (id) REFERENCES posts)",
        "CREATE TABLE part PARTITION OF visits FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
        "CREATE TABLE child () INHERITS (posts)",
        "ALTER TABLE posts ADD COLUMN extra text",
        "ALTER TABLE posts VALIDATE CONSTRAINT posts_body_check, ADD COLUMN extra text",
        "ALTER TABLE visits ATTACH PARTITION visits_2026 DEFAULT",
        "DROP INDEX ix_posts_slug",
        "VACUUM FULL posts",
        "LOCK TABLE posts IN SHARE MODE",
        "REINDEX TABLE posts",
    ],
)
def test_these_lock_others_out(sql: str, linted: LintedRevisions) -> None:
    assert "lock-without-timeout" in linted.rules_of(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE posts VALIDATE CONSTRAINT posts_body_check",
        "ALTER TABLE posts ALTER COLUMN slug SET STATISTICS 1000",
        "ALTER TABLE posts SET (autovacuum_vacuum_scale_factor = 0.01)",
        "ALTER TABLE visits DETACH PARTITION visits_2025 CONCURRENTLY",
        "ALTER INDEX ix_posts_slug RENAME TO ix_slug",
        "ALTER FUNCTION f RENAME TO g",
        "LOCK TABLE posts IN SHARE UPDATE EXCLUSIVE MODE",
        "REINDEX (CONCURRENTLY) TABLE posts",
        "VACUUM posts",
        "ANALYZE posts",
        "CREATE STATISTICS s ON slug, title FROM posts",
    ],
)
def test_these_let_others_pass(sql: str, linted: LintedRevisions) -> None:
    assert "lock-without-timeout" not in linted.rules_of(sql)


def test_statements_outside_of_transactions_keep_no_lock_for_each_other(linted: LintedRevisions) -> None:
    body = """
with op.get_context().autocommit_block():
    op.execute("SET lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD COLUMN language text")
    op.execute("UPDATE posts SET language = 'en' WHERE id IN (SELECT id FROM posts LIMIT 1000)")
"""
    assert linted.rules(body) == []


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        (LOCK_TIMEOUT, ["lock-without-timeout"]),
        ("SELECT set_config('lock_timeout', '2s', true)", ["lock-without-timeout"]),
        ("SET lock_timeout = '2s'", []),
        ("SELECT set_config('lock_timeout', '2s', false)", []),
    ],
)
def test_a_local_timeout_ends_with_its_transaction(setting: str, found: list[str], linted: LintedRevisions) -> None:
    block = "with op.get_context().autocommit_block():\n    op.execute('SELECT 1')\n"
    body = f"op.execute({setting!r})\n{block}op.execute('DROP TRIGGER stamp ON posts')"
    assert linted.rules(body) == found


def test_a_local_timeout_means_nothing_outside_of_a_transaction(linted: LintedRevisions) -> None:
    body = "with op.get_context().autocommit_block():\n"
    body += indent(SET_LOCK_TIMEOUT + "op.execute('DROP TRIGGER stamp ON posts')", "    ")
    assert linted.rules(body) == ["lock-without-timeout"]


def test_a_timeout_of_the_environment_counts(linted: LintedRevisions) -> None:
    environment = linted.root / "alembic" / "env.py"
    setting = "context.static_output(\"SET lock_timeout = '2s';\")\n"
    environment.write_text(environment.read_text().replace("with context.begin", f"{setting}with context.begin"))
    assert linted.rules_of("DROP TRIGGER stamp ON posts") == []
