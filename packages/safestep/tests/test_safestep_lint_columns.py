"""Rules about columns: new ones, their types, and NOT NULL."""

import pytest
from safestep_support.linting import LOCK_TIMEOUT, SET_LOCK_TIMEOUT, LintedRevisions
from safestep_support.revisions import executing

FOUND = {
    "ALTER TABLE posts ADD COLUMN tag uuid REFERENCES tags": {
        "adding-foreign-key-constraint",
        "foreign-key-without-index",
    },
    "ALTER TABLE posts ADD COLUMN number bigserial PRIMARY KEY": {"adding-serial-primary-key-field"},
    "ALTER TABLE posts ADD COLUMN twice integer GENERATED ALWAYS AS (views * 2) STORED": {"adding-field-with-default"},
    "ALTER TABLE posts ADD COLUMN number serial": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN number smallserial, ADD COLUMN a text": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN number integer GENERATED ALWAYS AS IDENTITY": {"adding-field-with-default"},
    "ALTER TABLE posts ADD COLUMN mail address": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN mail public.address": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN mail work_address": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN mood mood DEFAULT 'fair'": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN s other.state DEFAULT 'draft'": {"adding-field-rewrites"},
    "ALTER TABLE posts ADD COLUMN a integer DEFAULT 1, ADD COLUMN b float DEFAULT random()": {
        "adding-field-with-default"
    },
    "ALTER TABLE posts ADD COLUMN a float NOT NULL DEFAULT random()": {"adding-field-with-default"},
    "ALTER TABLE posts ADD COLUMN a text DEFAULT lower(gen_random_uuid()::text)": {"adding-field-with-default"},
    "ALTER TABLE posts ADD COLUMN a text DEFAULT mine.lower('X')": {"adding-field-with-default"},
    'ALTER TABLE posts ADD COLUMN a text COLLATE "C", ALTER COLUMN views SET EXPRESSION AS (1)': {"set-expression"},
    'ALTER TABLE posts ALTER COLUMN title TYPE varchar(400) COLLATE "C"': {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN title TYPE varchar(400), ALTER COLUMN views TYPE bigint": {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN views TYPE bigint, ALTER COLUMN title TYPE varchar(400)": {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN title TYPE varchar(100)": {"changing-column-type"},
    "ALTER TABLE tags ALTER COLUMN name TYPE varchar(100)": {"changing-column-type"},
    "ALTER TABLE members ALTER COLUMN price TYPE numeric(9, 2)": {"changing-column-type"},
    "ALTER TABLE members ALTER COLUMN price TYPE numeric(12, 3)": {"changing-column-type"},
    "ALTER TABLE users ALTER COLUMN name TYPE bytea": {"changing-column-type"},
    "ALTER TABLE posts ADD COLUMN token token": {"adding-field-rewrites"},
    "ALTER TABLE posts ALTER COLUMN title TYPE text USING upper(title)": {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN body TYPE varchar(100)": {"changing-column-type"},
    "ALTER TABLE posts ALTER COLUMN unknown TYPE text": {"changing-column-type"},
    "ALTER TABLE posts ADD COLUMN free varchar;\nALTER TABLE posts ALTER COLUMN free TYPE varchar(9)": {
        "changing-column-type"
    },
    "ALTER TABLE posts ADD CHECK (title <> '') NOT VALID;\nALTER TABLE posts ALTER COLUMN title TYPE text": {
        "changing-column-type"
    },
    "ALTER TABLE posts ADD COLUMN extra json[]": {"json-column"},
    "ALTER TABLE posts ALTER COLUMN title TYPE json USING title::json": {"changing-column-type", "json-column"},
}
QUIET = [
    "ALTER TABLE posts ADD COLUMN a bigint DEFAULT (1+2)",
    "ALTER TABLE posts ADD COLUMN a text DEFAULT lower('X')",
    "ALTER TABLE posts ADD COLUMN a text DEFAULT pg_catalog.lower('X'), ADD COLUMN b timestamptz DEFAULT now()",
    "ALTER TABLE posts ADD COLUMN a integer GENERATED ALWAYS AS (views * 2) VIRTUAL",
    "ALTER TABLE posts ADD COLUMN mood mood",
    "ALTER TABLE posts ADD COLUMN mail address[] DEFAULT '{}'",
    "ALTER TABLE posts ADD COLUMN s state DEFAULT 'draft'",
    "ALTER TABLE posts ADD COLUMN s span DEFAULT '(1,2)'",
    "ALTER TABLE posts ADD COLUMN s pair DEFAULT '(1,2)'",
    "ALTER TABLE posts ADD COLUMN name citext DEFAULT ''",
    "ALTER TABLE posts ALTER COLUMN title TYPE varchar(201)",
    "ALTER TABLE tags ALTER COLUMN name TYPE varchar",
    "ALTER TABLE members ALTER COLUMN price TYPE numeric(12, 2), ALTER COLUMN network TYPE inet",
    "ALTER TABLE members ALTER COLUMN price TYPE numeric",
    "ALTER TABLE posts ADD COLUMN at timestamptz(3);\nALTER TABLE posts ALTER COLUMN at TYPE timestamptz",
    "ALTER TABLE posts ADD COLUMN token token DEFAULT '00000000-0000-0000-0000-000000000000'",
    "ALTER TABLE posts ADD COLUMN language text DEFAULT 'en' NOT NULL",
    "ALTER TABLE posts ADD COLUMN extra jsonb",
    "ALTER TABLE posts ALTER COLUMN slug DROP NOT NULL",
    "SELECT a FROM json_to_recordset('[]') AS x(a json)",
]


@pytest.mark.parametrize("sql", FOUND)
def test_an_unsafe_change_of_a_column_is_found(sql: str, linted: LintedRevisions) -> None:
    assert {*linted.rules_of(LOCK_TIMEOUT, sql)} == FOUND[sql]


@pytest.mark.parametrize("sql", QUIET)
def test_a_safe_change_of_a_column_is_left_alone(sql: str, linted: LintedRevisions) -> None:
    assert linted.rules_of(LOCK_TIMEOUT, sql) == []


def test_a_check_that_was_only_added_does_not_prove_not_null(linted: LintedRevisions) -> None:
    body = """
with op.get_context().autocommit_block():
    op.execute("SET lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD CONSTRAINT c CHECK (slug IS NOT NULL) NOT VALID")
    op.execute("ALTER TABLE posts ALTER COLUMN slug SET NOT NULL")
"""
    assert linted.rules(body) == ["adding-not-nullable-field"]


def test_a_check_that_was_dropped_proves_nothing(linted: LintedRevisions) -> None:
    body = """
with op.get_context().autocommit_block():
    op.execute("SET lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD CONSTRAINT c CHECK (slug IS NOT NULL) NOT VALID")
    op.execute("ALTER TABLE posts VALIDATE CONSTRAINT c")
"""
    linted.write(body, name="zero")
    linted.write(SET_LOCK_TIMEOUT + "op.alter_column('posts', 'slug', nullable=False)", after="zero")
    assert linted.lint().findings == []
    linted.write(body + "    op.execute('ALTER TABLE posts DROP CONSTRAINT c')", name="zero")
    assert linted.violated() == ["adding-not-nullable-field"]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (["slug"], []),
        (["slug", "title"], ["adding-not-nullable-field"]),
        (["title", "slug"], ["adding-not-nullable-field"]),
    ],
)
def test_every_column_that_a_statement_makes_not_null_is_proven(
    columns: list[str], found: list[str], linted: LintedRevisions
) -> None:
    linted.write("op.execute('ALTER TABLE posts ADD CHECK (slug IS NOT NULL AND views > 0)')", name="zero")
    changes = ", ".join(f"ALTER {column} SET NOT NULL" for column in columns)
    linted.write(SET_LOCK_TIMEOUT + f"op.execute('ALTER TABLE posts {changes}')", after="zero")
    assert linted.violated() == found


def test_a_column_has_the_type_that_it_was_given_last(linted: LintedRevisions) -> None:
    widened = "ALTER TABLE posts ALTER COLUMN title TYPE varchar(400)"
    narrowed = "ALTER TABLE posts ALTER COLUMN title TYPE varchar(300)"
    assert linted.rules_of(LOCK_TIMEOUT, widened, narrowed) == ["changing-column-type"]


@pytest.mark.parametrize(
    ("sql", "constrained"),
    [
        ("CREATE DOMAIN code AS text", False),
        ("CREATE DOMAIN code AS text DEFAULT 'x'", False),
        ("CREATE DOMAIN code AS text NOT NULL", True),
        ("CREATE DOMAIN code AS text CHECK (value <> '')", True),
        ("CREATE DOMAIN code AS address", True),
        ("CREATE DOMAIN code AS text;\nALTER DOMAIN code ADD CHECK (value <> '') NOT VALID", True),
        ("CREATE DOMAIN code AS text;\nALTER DOMAIN code SET NOT NULL", True),
        ("CREATE DOMAIN code AS text;\nALTER DOMAIN code SET DEFAULT ''", False),
    ],
)
def test_a_domain_has_the_constraints_that_the_revisions_gave_it(
    sql: str, constrained: bool, linted: LintedRevisions
) -> None:
    linted.write(executing(*sql.split(";\n")), name="zero")
    linted.write(SET_LOCK_TIMEOUT + "op.execute('ALTER TABLE posts ADD COLUMN code code')", after="zero")
    assert linted.violated() == ["adding-field-rewrites"] * constrained
