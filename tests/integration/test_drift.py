"""`postern db check`: what a live database has that the models don't describe, and the other way round, as SQL."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest
from safestep.drift.schema import difference, schema_of
from safestep.steps.backfill import CREATE_POSITIONS
from sqlalchemy.engine import URL
from typer.testing import CliRunner, Result

from app.cli.main import app
from tests.support.database import ask, plain
from tests.support.server import Clone


def clone(template: URL) -> Iterator[URL]:
    made = Clone(template)
    asyncio.run(made.__aenter__())
    yield made.url
    asyncio.run(made.__aexit__())


@pytest.fixture
def database(template: URL) -> Iterator[URL]:
    """A migrated database of this test's own."""
    yield from clone(template)


@pytest.fixture
def other(template: URL) -> Iterator[URL]:
    """Another, in the same state."""
    yield from clone(template)


def check(database: URL, template: URL) -> Result:
    text = database.render_as_string(hide_password=False)
    server = template.set(database="postgres").render_as_string(hide_password=False)
    return CliRunner().invoke(app, ["db", "check", "--server", server], env={"DATABASE_URL": text})


def test_a_migrated_database_is_what_the_models_describe(database: URL, template: URL) -> None:
    result = check(database, template)

    assert result.exit_code == 0
    assert "open: models and database agree" in result.output


@pytest.mark.parametrize(
    ("drift", "remedy"),
    [
        ("ALTER TABLE posts DROP COLUMN slug", "ALTER TABLE public.posts ADD COLUMN slug character varying(300);"),
        ("ALTER TABLE posts ADD secret text", "ALTER TABLE public.posts DROP COLUMN secret;"),
        (
            "ALTER TABLE users ALTER is_active DROP DEFAULT",
            "ALTER COLUMN is_active SET DEFAULT true;",
        ),
        ("ALTER TABLE users ALTER name SET DEFAULT 'x'", "ALTER TABLE public.users ALTER COLUMN name DROP DEFAULT;"),
        ("ALTER TABLE posts ALTER title DROP NOT NULL", "ALTER TABLE public.posts ALTER COLUMN title SET NOT NULL;"),
        (
            "ALTER TABLE posts ALTER title TYPE text",
            "ALTER COLUMN title TYPE character varying(200);",
        ),
        ("ALTER TABLE posts DROP CONSTRAINT ck_posts_body_length", "ADD CONSTRAINT ck_posts_body_length CHECK"),
        (
            "ALTER TABLE posts ADD CONSTRAINT short CHECK (title <> '')",
            "ALTER TABLE public.posts DROP CONSTRAINT short;",
        ),
        ("DROP INDEX ix_posts_published", "CREATE INDEX ix_posts_published ON public.posts"),
        ("CREATE INDEX stray ON posts (title)", "DROP INDEX public.stray;"),
        ("DROP TRIGGER audit_events_append_only ON audit_events", "CREATE TRIGGER audit_events_append_only"),
        (
            "ALTER TABLE posts DROP CONSTRAINT fk_posts_author_id_users",
            "fk_posts_author_id_users FOREIGN KEY (author_id) REFERENCES public.users(id) ON DELETE CASCADE;",
        ),
        ("CREATE TYPE mood AS ENUM ('good')", "DROP TYPE public.mood;"),
        ("CREATE TABLE stray (id int)", "DROP TABLE public.stray;"),
        ("CREATE FUNCTION stray() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION public.stray();"),
        (
            "CREATE OR REPLACE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN NULL; END $$",
            "RAISE EXCEPTION 'audit_events is append-only'",
        ),
    ],
)
def test_what_differs_is_printed_as_sql(database: URL, template: URL, drift: str, remedy: str) -> None:
    ask(database, drift)

    result = check(database, template)

    assert result.exit_code == 1
    assert remedy in result.output


# Each is undone by the statements of one direction, and made by those of the other.
DRIFTS = [
    "DROP TABLE posts CASCADE",
    "DROP TABLE co_authorships",
    "ALTER TABLE posts DROP COLUMN author_id",
    "ALTER TABLE posts ADD stray int DEFAULT 1 CHECK (stray > 0)",
    "ALTER TABLE users ALTER is_active DROP DEFAULT, ALTER name SET DEFAULT 'a, (b''', ALTER name SET NOT NULL",
    "ALTER TABLE posts ALTER title TYPE text, ALTER body TYPE varchar(5)",
    "ALTER TABLE rate_windows ALTER count TYPE text, ALTER count SET DEFAULT 'none'",
    'ALTER TABLE posts ALTER title TYPE varchar(200) COLLATE "C"',
    "ALTER TABLE posts ADD CONSTRAINT stray CHECK (CASE WHEN title = ')' THEN body <> ',' ELSE true END)",
    """
    ALTER TABLE posts DROP CONSTRAINT ck_posts_body_length,
    ADD CONSTRAINT ck_posts_body_length CHECK (char_length(body) <= 1000000) NOT VALID
    """,
    "ALTER TABLE posts DROP CONSTRAINT fk_posts_author_id_users",
    "DROP INDEX ix_posts_published, ix_posts_drafts",
    "DROP INDEX ix_posts_drafts; CREATE UNIQUE INDEX ix_posts_drafts ON posts (title DESC) WHERE body > ';'",
    "CREATE TABLE stray (id serial PRIMARY KEY, other int REFERENCES stray, UNIQUE (other))",
    "CREATE TABLE stray (id int PRIMARY KEY, post uuid REFERENCES posts); CREATE INDEX ix_stray ON stray (post)",
    "CREATE TABLE stray ()",
    "CREATE TABLE stray (id int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (1 * 2) STORED)",
    "CREATE TABLE stray (id int) WITH (fillfactor = 50); ALTER TABLE stray REPLICA IDENTITY FULL",
    "ALTER TABLE posts ADD stray int GENERATED BY DEFAULT AS IDENTITY",
    "ALTER TABLE posts ADD stray serial UNIQUE",
    "ALTER TABLE posts ALTER title DROP NOT NULL, ADD CONSTRAINT stray NOT NULL title",
    "CREATE SEQUENCE stray; ALTER TABLE rate_windows ALTER count SET DEFAULT nextval('stray')",
    "CREATE TYPE mood AS ENUM ('good', 'bad'); ALTER TABLE posts ADD mood mood DEFAULT 'good'",
    "CREATE TYPE pair AS (a int, b text); CREATE TABLE stray (pairs pair[])",
    "CREATE DOMAIN stray AS int CHECK (VALUE > 0); ALTER TABLE posts ADD stray stray",
    "CREATE FUNCTION stray(a int, b text DEFAULT ',') RETURNS int LANGUAGE sql AS $$\nSELECT 1\n\nLIMIT 1\n$$",
    """
    CREATE FUNCTION stray(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true';
    ALTER TABLE rate_windows ADD CHECK (stray(count)); CREATE INDEX ON rate_windows (stray(count))
    """,
    "CREATE PROCEDURE stray() LANGUAGE sql AS 'SELECT count(*) FROM posts'",
    """
    CREATE TABLE stray (id int); CREATE FUNCTION strays() RETURNS int LANGUAGE sql AS 'SELECT id FROM stray'
    """,
    """
    CREATE OR REPLACE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN\nSELECT 1;\nSET work_mem = '1MB';\n\nRETURN NULL; END $$
    """,
    "DROP TRIGGER audit_events_append_only ON audit_events",
    "ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only",
    "DROP FUNCTION audit_events_append_only CASCADE",
    "CREATE VIEW stray AS SELECT id, title FROM posts",
    "CREATE MATERIALIZED VIEW stray AS SELECT id, title FROM posts; CREATE INDEX ON stray (title)",
    "CREATE EXTENSION pg_trgm; CREATE INDEX stray ON posts USING gin (title gin_trgm_ops)",
    """
    CREATE SCHEMA app; CREATE TABLE app.posts (id int PRIMARY KEY, odd int DEFAULT 1);
    CREATE INDEX ix_posts_drafts ON app.posts (odd)
    """,
    """
    CREATE SCHEMA "App"; CREATE TYPE "App"."Mood" AS ENUM ('a');
    CREATE TABLE "App"."Odd, (name" ("Id" int CONSTRAINT "Pk" PRIMARY KEY, "select" "App"."Mood" CHECK ("Id" > 1));
    CREATE INDEX "Ix" ON "App"."Odd, (name" ("select");
    CREATE FUNCTION "App"."F"("Id" int) RETURNS int LANGUAGE sql AS 'SELECT 1'
    """,
    'ALTER TABLE posts ADD "Mixed" int CONSTRAINT "Ck" CHECK ("Mixed" > 1); CREATE INDEX "Ix" ON posts ("Mixed")',
    "ALTER TABLE posts SET (fillfactor = 70, autovacuum_enabled = false)",
    "ALTER TABLE posts REPLICA IDENTITY FULL",
    "ALTER TABLE audit_events REPLICA IDENTITY NOTHING, ALTER changes SET STATISTICS 7",
    "ALTER TABLE posts ALTER body SET STORAGE EXTERNAL, ADD stray text; ALTER TABLE posts ALTER stray SET STORAGE MAIN",
    "ALTER TABLE rate_windows SET UNLOGGED",
    "ALTER TABLE posts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY stray ON posts USING (true)",
    "CREATE RULE stray AS ON DELETE TO posts DO INSTEAD NOTHING",
    "CREATE STATISTICS stray ON title, body FROM posts",
    "ALTER TABLE posts CLUSTER ON pk_posts; ALTER TABLE users REPLICA IDENTITY USING INDEX pk_users",
    "ALTER INDEX pk_posts RENAME TO stray",
    """
    ALTER TABLE posts DROP CONSTRAINT pk_posts CASCADE, ADD CONSTRAINT pk_posts PRIMARY KEY (id) INCLUDE (title);
    ALTER TABLE co_authorships ADD CONSTRAINT fk_co_authorships_post_id_posts FOREIGN KEY (post_id) REFERENCES posts
    """,
]
# What they change is there on both sides.
THERE = """
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE TABLE moods (mood mood NOT NULL, twice int GENERATED ALWAYS AS (2) STORED, many int DEFAULT 1);
    CREATE SEQUENCE counter CYCLE;
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42';
    CREATE MATERIALIZED VIEW answers AS SELECT 42 AS answer;
    CREATE INDEX ix_answers ON answers (answer)
"""


def run_each(url: URL, statements: list[str]) -> None:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("drift", DRIFTS)
def test_every_statement_runs_and_they_make_the_database_what_is_wanted(database: URL, other: URL, drift: str) -> None:
    wanted = schema_of(other)
    ask(database, drift)
    drifted = schema_of(database)
    assert difference(wanted, drifted)

    run_each(database, difference(wanted, drifted))
    run_each(other, difference(drifted, wanted))

    assert difference(wanted, schema_of(database)) == []
    assert difference(drifted, schema_of(other)) == []


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TYPE mood ADD VALUE 'better' BEFORE 'good'; ALTER TYPE mood ADD VALUE 'worse'; "
        "ALTER TYPE mood ADD VALUE 'so, so' AFTER 'good'",
        "ALTER SEQUENCE counter NO CYCLE INCREMENT 5",
        "ALTER SEQUENCE counter MAXVALUE 7 OWNED BY moods.mood",
        "ALTER TABLE moods RENAME mood TO humour",
        "ALTER TABLE moods ALTER many TYPE bigint",
        "ALTER TABLE moods DROP COLUMN twice; ALTER TABLE moods ADD twice int GENERATED ALWAYS AS (1 + 1) STORED",
        "CREATE OR REPLACE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 43'",
        "DROP FUNCTION answer(); CREATE FUNCTION answer() RETURNS text LANGUAGE sql AS 'SELECT 42::text'",
        "DROP MATERIALIZED VIEW answers; CREATE MATERIALIZED VIEW answers AS SELECT 43 AS answer; "
        "CREATE INDEX ix_answers ON answers (answer)",
    ],
)
def test_what_is_there_becomes_what_is_wanted(database: URL, other: URL, change: str) -> None:
    for url in (database, other):
        ask(url, THERE)
    run_each(other, change.split("; "))
    wanted = schema_of(other)

    run_each(database, difference(wanted, schema_of(database)))

    assert difference(wanted, schema_of(database)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TYPE mood RENAME VALUE 'bad' TO 'worse'", "-- public.mood has values that have to go or to move"),
        ("ALTER DOMAIN positive DROP CONSTRAINT positive_check", "-- DOMAIN public.positive can't be altered into"),
        ("DROP TABLE moods; CREATE TABLE moods (mood mood) PARTITION BY LIST (mood)", "-- public.moods has to be made"),
        ("CREATE CAST (mood AS int) WITH INOUT", "-- unknown to the models: CAST"),
        (
            "ALTER TABLE moods ALTER mood SET (n_distinct = 5)",
            "-- unknown to the models: ALTER TABLE ONLY",
        ),
    ],
)
def test_what_no_statement_can_do_is_said(database: URL, other: URL, change: str, words: str) -> None:
    for url in (database, other):
        ask(url, THERE)
    ask(database, change)

    assert [line for line in difference(schema_of(other), schema_of(database)) if line.startswith(words)]


@pytest.mark.parametrize("name", ["stray", "ix_posts_drafts"])
def test_an_index_that_a_failed_build_left_is_dropped_first(database: URL, template: URL, name: str) -> None:
    author = "INSERT INTO users (id, name) VALUES (gen_random_uuid(), 'a') RETURNING id"
    twice = "SELECT gen_random_uuid(), id, 'same', '' FROM author, generate_series(1, 2)"
    ask(database, f"WITH author AS ({author}) INSERT INTO posts (id, author_id, title, body) {twice}")
    ask(database, f"DROP INDEX IF EXISTS {name}")
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask(database, f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON posts (title)")
    printed = check(database, template).output.partition("to the models:\n")[2]
    assert printed.startswith(f"DROP INDEX public.{name};")

    ask(database, printed)

    assert check(database, template).exit_code == 0


def test_what_goes_with_a_table_is_not_dropped_by_itself(database: URL, other: URL) -> None:
    ask(database, "CREATE TABLE stray (id int PRIMARY KEY CHECK (id > 0), word text); CREATE INDEX ON stray (word)")

    assert difference(schema_of(other), schema_of(database)) == ["DROP TABLE public.stray;"]


def test_the_order_in_which_a_table_was_set_up_is_no_difference(database: URL, other: URL) -> None:
    ask(database, "ALTER TABLE posts SET (fillfactor = 70, autovacuum_enabled = false)")
    ask(other, "ALTER TABLE posts SET (autovacuum_enabled = false, fillfactor = 70)")
    for url, first, second in [(database, "a", "b"), (other, "b", "a")]:
        ask(url, f"CREATE TABLE stray ({first} text, {second} text)")
        ask(url, "ALTER TABLE stray ALTER a SET STORAGE MAIN, ALTER b SET STORAGE MAIN")

    assert schema_of(database) == schema_of(other)


def test_the_position_of_a_backfill_is_no_drift(database: URL, template: URL) -> None:
    ask(database, CREATE_POSITIONS)

    assert check(database, template).exit_code == 0


def test_what_is_printed_makes_the_database_what_the_models_describe(database: URL, template: URL) -> None:
    ask(database, "ALTER TABLE posts DROP COLUMN slug")
    ask(database, "ALTER TABLE users ALTER is_active DROP DEFAULT, ADD stray int")
    ask(database, "DROP TABLE rate_windows")
    printed = check(database, template).output.partition("to the models:\n")[2]

    ask(database, printed)

    assert check(database, template).exit_code == 0
