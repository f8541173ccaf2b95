"""What PostgreSQL itself refuses in a transaction, lint finds before."""

import psycopg
import pytest
from safestep_support.databases import plain
from safestep_support.linting import LOCK_TIMEOUT, LintedRevisions
from sqlalchemy.engine import URL

TABLES = """
    CREATE TABLE parents (id int) PARTITION BY RANGE (id);
    CREATE TABLE children PARTITION OF parents FOR VALUES FROM (1) TO (2);
    CREATE INDEX ix_parents ON parents (id);
    CREATE INDEX ix_children ON children (id);
    CREATE SUBSCRIPTION orders CONNECTION 'dbname=none' PUBLICATION orders WITH (connect = false);
"""
WITHOUT_SLOT = "ALTER SUBSCRIPTION orders SET (slot_name = NONE)"
REFUSED = [
    "VACUUM children",
    "CREATE DATABASE other",
    "DROP DATABASE other",
    "ALTER DATABASE other SET TABLESPACE fast",
    "CREATE TABLESPACE fast LOCATION '/nowhere'",
    "DROP TABLESPACE fast",
    "ALTER SYSTEM SET work_mem = '8MB'",
    "DISCARD ALL",
    "CLUSTER",
    "CLUSTER parents USING ix_parents",
    "REINDEX TABLE parents",
    "REINDEX SCHEMA public",
    "REINDEX INDEX CONCURRENTLY ix_children",
    "DROP INDEX CONCURRENTLY ix_children",
    "ALTER TABLE parents DETACH PARTITION children CONCURRENTLY",
    "CREATE SUBSCRIPTION other CONNECTION 'dbname=none' PUBLICATION orders",
    "DROP SUBSCRIPTION orders",
    "DO $$ BEGIN COMMIT; END $$",
    "DO $$ BEGIN ROLLBACK; END $$",
]
ACCEPTED = [
    "ANALYZE children",
    "DISCARD PLANS",
    "DROP INDEX ix_children",
    "ALTER TABLE parents DETACH PARTITION children",
    "CREATE SUBSCRIPTION other CONNECTION 'dbname=none' PUBLICATION orders WITH (connect = off)",
    "ALTER SUBSCRIPTION orders SET PUBLICATION others WITH (refresh = 0)",
    "ALTER SUBSCRIPTION orders DISABLE",
    WITHOUT_SLOT,
    "DO $$ BEGIN PERFORM 1; END $$",
]


def refused(url: URL, sql: str) -> bool:
    """Whether PostgreSQL refuses the statement because of the transaction around it."""
    with psycopg.connect(plain(url)) as connection:
        connection.execute(TABLES)
        try:
            connection.execute(sql)
        except (psycopg.errors.ActiveSqlTransaction, psycopg.errors.InvalidTransactionTermination):
            return True
        finally:
            connection.rollback()
    return False


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_refused_in_a_transaction_is_found(sql: str, empty: URL, linted: LintedRevisions) -> None:
    assert refused(empty, sql)
    found = linted.rules_of(LOCK_TIMEOUT, *TABLES.strip().split(";\n"), sql)
    assert {"not-in-transaction", "cluster", "require-concurrent-reindex"} & {*found}


@pytest.mark.parametrize("sql", ACCEPTED)
def test_what_is_accepted_in_a_transaction_is_not(sql: str, empty: URL, linted: LintedRevisions) -> None:
    assert not refused(empty, sql)
    assert "not-in-transaction" not in linted.rules_of(LOCK_TIMEOUT, *TABLES.strip().split(";\n"), sql)


def test_a_subscription_without_a_slot_can_be_dropped(empty: URL, linted: LintedRevisions) -> None:
    assert not refused(empty, f"{WITHOUT_SLOT}; DROP SUBSCRIPTION orders")
    assert linted.rules_of(WITHOUT_SLOT, "DROP SUBSCRIPTION orders") == []
