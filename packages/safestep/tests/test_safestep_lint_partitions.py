"""Whether a table becomes a partition without a scan of its rows."""

import pytest
from psycopg import AsyncConnection
from safestep.lint.recipes import recipes
from safestep_support.databases import Clone
from safestep_support.linting import LOCK_TIMEOUT, SET_LOCK_TIMEOUT, LintedRevisions
from safestep_support.revisions import executing
from sqlalchemy.engine import URL

TO_2026 = "FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"


BOUNDS = "at >= '2026-01-01' AND at < '2027-01-01'"


@pytest.mark.parametrize(
    ("table", "bounds", "reason"),
    [
        (f"(at date NOT NULL, CHECK ({BOUNDS}))", TO_2026, None),
        (f"(at date PRIMARY KEY, CHECK ({BOUNDS}))", TO_2026, None),
        (f"(at date, CHECK (at IS NOT NULL AND {BOUNDS}))", TO_2026, None),
        ("(at date CHECK (at IS NOT NULL) CHECK (at >= DATE '2026-01-01') CHECK (at < '2027-01-01'))", TO_2026, None),
        ("(at date NOT NULL CHECK (at > '2026-01-01' AND at < '2027-01-01'))", TO_2026, None),
        ("(at date NOT NULL CHECK (at < '2027-01-01'))", "FOR VALUES FROM (MINVALUE) TO ('2027-01-01')", None),
        ("(at date NOT NULL CHECK (at IN ('2026-01-01')))", "FOR VALUES IN ('2026-01-01', '2026-01-02')", None),
        ("(at date NOT NULL CHECK (at = '2026-01-01'))", "FOR VALUES IN ('2026-01-01')", None),
        ("(at date NOT NULL CHECK (at = ANY (ARRAY['2026-01-01']::date[])))", "FOR VALUES IN ('2026-01-01')", None),
        ("(at date CHECK (at < '2026-01-01'))", "DEFAULT", None),
        (f"(at date CHECK ({BOUNDS}))", TO_2026, "at may be null"),
        (f"(at date, CHECK (at IS NOT NULL OR {BOUNDS}))", TO_2026, "at may be null"),
        ("(at date CHECK (at = '2026-01-01'))", "FOR VALUES IN ('2026-01-01')", "at may be null"),
        ("(at date NOT NULL)", TO_2026, "no valid check has its bounds"),
        ("(at date NOT NULL CHECK (at >= '2026-01-01'))", TO_2026, "no valid check has its bounds"),
        ("(at date NOT NULL CHECK (at < '2027-01-01'))", TO_2026, "no valid check has its bounds"),
        (f"(at date NOT NULL, CHECK ({BOUNDS} OR true))", TO_2026, "no valid check has its bounds"),
        ("(at date NOT NULL CHECK (at >= '2025-01-01' AND at < '2027-01-01'))", TO_2026, "has its bounds"),
        ("(at date NOT NULL CHECK (at >= '2026-01-01' AND at <= '2027-01-01'))", TO_2026, "has its bounds"),
        ("(at date NOT NULL, b date CHECK (b >= '2026-01-01' AND b < '2027-01-01'))", TO_2026, "has its bounds"),
        ("(at date NOT NULL CHECK (at IN ('2026-01-01', '2026-01-03')))", "FOR VALUES IN ('2026-01-01')", "bounds"),
        ("(at date NOT NULL CHECK (at <> '2026-01-01'))", "FOR VALUES IN ('2026-01-01')", "has its bounds"),
        ("(at date NOT NULL, b text CHECK (b IN ('x')))", "FOR VALUES IN ('x')", "has its bounds"),
        ("(at date, path text CHECK (path <> ''))", "DEFAULT", "no valid check names its key"),
        ("(at date)", "DEFAULT", "no valid check names its key"),
    ],
)
def test_a_partition_is_attached_without_a_scan_when_its_constraints_say_enough(
    table: str, bounds: str, reason: str | None, linted: LintedRevisions
) -> None:
    linted.write(f"op.execute({f'CREATE TABLE part {table}'!r})", name="zero")
    linted.write(
        SET_LOCK_TIMEOUT + f"op.execute({f'ALTER TABLE visits ATTACH PARTITION part {bounds}'!r})", after="zero"
    )
    messages = [finding.message for finding in linted.lint().findings if finding.rule == "attach-partition-scans"]
    assert len(messages) == (1 if reason else 0)
    assert reason is None or reason in messages[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([f"ALTER TABLE part ADD CHECK ({BOUNDS}) NOT VALID", "ALTER TABLE part ALTER at SET NOT NULL"], "bounds"),
        ([f"ALTER TABLE part ADD CHECK ({BOUNDS})", "ALTER TABLE part ALTER at SET NOT NULL"], None),
        (
            [
                f"ALTER TABLE part ADD CHECK ({BOUNDS})",
                "ALTER TABLE part ALTER at SET NOT NULL",
                "ALTER TABLE part ALTER at DROP NOT NULL",
            ],
            "at may be null",
        ),
        (
            [
                f"ALTER TABLE part ADD CHECK ({BOUNDS})",
                "CREATE UNIQUE INDEX pk ON part (at)",
                "ALTER TABLE part ADD PRIMARY KEY USING INDEX pk",
            ],
            None,
        ),
        ([f"ALTER TABLE part ADD CHECK ({BOUNDS})", "ALTER TABLE part ADD CONSTRAINT n NOT NULL at NOT VALID"], "null"),
        ([f"ALTER TABLE part ADD CHECK ({BOUNDS})", "ALTER TABLE part ADD CONSTRAINT n NOT NULL at"], None),
        (["ALTER TABLE part ALTER at SET NOT NULL", "ALTER TABLE part RENAME at TO day"], "at may be null"),
    ],
)
def test_what_later_statements_say_of_a_partition_counts(
    changes: list[str], reason: str | None, linted: LintedRevisions
) -> None:
    sql = ["CREATE TABLE part (at date)", *changes]
    linted.write(executing(*sql), name="zero")
    attach = f"op.execute({f'ALTER TABLE visits ATTACH PARTITION part {TO_2026}'!r})"
    linted.write(SET_LOCK_TIMEOUT + attach, after="zero")
    messages = [finding.message for finding in linted.lint().findings]
    assert len(messages) == (1 if reason else 0)
    assert reason is None or reason in messages[0]


def test_the_key_of_a_partition_that_is_not_known_asks_for_any_check(linted: LintedRevisions) -> None:
    attach = f"ALTER TABLE unknown ATTACH PARTITION posts {TO_2026}"
    assert linted.rules_of(LOCK_TIMEOUT, attach) == []
    attach = f"ALTER TABLE unknown ATTACH PARTITION tags {TO_2026}"
    assert linted.rules_of(LOCK_TIMEOUT, attach) == ["attach-partition-scans"]


IMPLIED = 'partition constraint for table "visits_2026" is implied by existing constraints'


async def notices(url: URL, *statements: str) -> list[str]:
    """What PostgreSQL says when it runs these, each alone."""
    said: list[str] = []
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await AsyncConnection.connect(address, autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        await connection.execute("SET client_min_messages = debug1")
        for statement in statements:
            await connection.execute(statement.encode())
    return said


async def test_postgresql_reads_no_row_of_a_partition_that_is_attached_by_the_recipe(
    template: URL, linted: LintedRevisions
) -> None:
    tables = [sql for sql in linted.sql("tables") if "visits" in sql]
    (name,) = linted.paste(recipes()["attach-partition-scans"].example_code)
    async with Clone(template) as url:
        assert IMPLIED in await notices(url, *tables, *linted.sql(name))


async def test_postgresql_reads_a_partition_whose_key_may_be_null(template: URL, linted: LintedRevisions) -> None:
    tables = [sql for sql in linted.sql("tables") if "visits" in sql]
    attach = f"ALTER TABLE visits ATTACH PARTITION visits_2026 {TO_2026}"
    async with Clone(template) as url:
        said = await notices(url, *tables, f"ALTER TABLE visits_2026 ADD CHECK ({BOUNDS})", attach)
    assert IMPLIED not in said
    assert 'verifying table "visits_2026"' in said
