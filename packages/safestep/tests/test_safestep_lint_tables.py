"""Rules about tables and other objects, and what a revision may do to those that it creates."""

import pytest
from safestep.lint import squawk
from safestep_support.linting import LOCK_TIMEOUT, LintedRevisions

FOUND = {
    "ALTER TABLE posts ADD COLUMN a integer, SET LOGGED": {"set-logged"},
    "ALTER INDEX ix_posts_slug SET TABLESPACE fast": {"set-tablespace"},
    "ALTER TABLE ALL IN TABLESPACE slow SET TABLESPACE fast": {"set-tablespace"},
    "TRUNCATE ONLY public.posts CASCADE": {"truncate"},
    "ALTER TYPE state RENAME VALUE 'draft' TO 'sketch'": {"renaming-object"},
    "VACUUM (FULL, ANALYZE) posts": {"vacuum-full"},
    "BEGIN": {"transaction-nesting"},
}
QUIET = [
    "DROP TRIGGER stamp ON posts",
    "CREATE TABLE part PARTITION OF visits FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
    "REFRESH MATERIALIZED VIEW counts WITH NO DATA",
    "ALTER INDEX ix_visits ATTACH PARTITION ix_visits_2026",
    "ALTER TABLE posts DROP CONSTRAINT posts_body_check",
    "COMMENT ON TABLE posts IS 'texts'",
    "GRANT SELECT ON posts TO reader",
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
]


@pytest.mark.parametrize("sql", FOUND)
def test_an_unsafe_statement_is_found(sql: str, linted: LintedRevisions) -> None:
    assert {*linted.rules_of(LOCK_TIMEOUT, sql)} == FOUND[sql]


@pytest.mark.parametrize("sql", QUIET)
def test_a_safe_statement_is_left_alone(sql: str, linted: LintedRevisions) -> None:
    assert linted.rules_of(LOCK_TIMEOUT, sql) == []


NEW = "CREATE TABLE fresh (id uuid PRIMARY KEY, owner uuid, note json)"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE INDEX ix_fresh_owner ON fresh (owner)",
        "ALTER TABLE fresh ADD CHECK (owner IS NOT NULL)",
        "ALTER TABLE fresh ALTER COLUMN owner SET NOT NULL",
        "ALTER TABLE fresh SET UNLOGGED",
        "ALTER TABLE fresh RENAME COLUMN owner TO holder",
        "CREATE TRIGGER stamp BEFORE UPDATE ON fresh FOR EACH ROW EXECUTE FUNCTION stamp()",
        "UPDATE fresh SET owner = id",
        "WITH old AS (SELECT id FROM fresh) DELETE FROM fresh USING old WHERE fresh.id = old.id",
        "LOCK TABLE fresh",
        "TRUNCATE fresh",
        "DROP TRIGGER stamp ON fresh",
        "DROP TABLE fresh",
        "CREATE INDEX i ON fresh (owner);\nALTER INDEX i SET TABLESPACE fast",
    ],
)
def test_a_table_that_the_revision_creates_locks_nobody_out(sql: str, linted: LintedRevisions) -> None:
    assert linted.rules_of(NEW.replace("json", "text"), sql) == []


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (NEW, "json-column"),
        ("CREATE TABLE fresh (at timestamp)", "prefer-timestamp-tz"),
        ("CREATE TABLE fresh (code char(3))", "ban-char-field"),
        (f"CREATE TABLE fresh (a{'a' * 63} text)", "identifier-too-long"),
        ("CREATE TABLE fresh (id uuid REFERENCES fresh)", "foreign-key-without-index"),
        ("ALTER TYPE state ADD VALUE 'old';\nCREATE TABLE fresh (s state DEFAULT 'old')", "enum-value-used-early"),
        (
            "CREATE TABLE fresh (id uuid);\nCREATE INDEX CONCURRENTLY i ON fresh (id)",
            "ban-concurrent-index-creation-in-transaction",
        ),
    ],
)
def test_what_a_new_table_is_made_of_counts_nevertheless(sql: str, found: str, linted: LintedRevisions) -> None:
    assert linted.rules_of(sql) == [found]


def test_a_table_is_in_use_until_it_is_dropped_though_the_revision_creates_it_anew(linted: LintedRevisions) -> None:
    violated = linted.rules_of(LOCK_TIMEOUT, "TRUNCATE tags", "DROP TABLE tags", "CREATE TABLE tags (id uuid)")
    assert violated == ["truncate", "ban-drop-table", "destructive-not-marked"]


def test_an_index_of_a_new_table_goes_without_harm(linted: LintedRevisions) -> None:
    assert linted.rules_of("CREATE TABLE fresh (id uuid)", "CREATE INDEX i ON fresh (id)", "DROP INDEX i") == []


def test_what_only_squawk_cannot_read_is_no_fault(linted: LintedRevisions, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = {"rule_name": "syntax-error", "line": 1, "message": "expected something else"}
    monkeypatch.setattr(squawk, "_run", lambda _sql: [finding])
    assert linted.rules_of("SELECT 1") == []
