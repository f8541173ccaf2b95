"""`postern db check`: what a live database has that the models don't describe, and the other way round, as SQL."""

import asyncio

import pytest
from sqlalchemy.engine import URL
from typer.testing import CliRunner, Result

from app.cli.main import app
from tests.support.database import ask
from tests.support.server import Clone


@pytest.fixture
def database(template: URL) -> URL:
    """A migrated database of this test's own."""
    clone = Clone(template)
    asyncio.run(clone.__aenter__())
    yield clone.url
    asyncio.run(clone.__aexit__())


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
        ("ALTER TABLE posts DROP COLUMN slug", "ALTER TABLE posts ADD slug character varying(300);"),
        ("ALTER TABLE posts ADD secret text", "ALTER TABLE posts DROP COLUMN secret;"),
        (
            "ALTER TABLE users ALTER is_active DROP DEFAULT",
            "ALTER COLUMN is_active SET DEFAULT true;",
        ),
        ("ALTER TABLE users ALTER name SET DEFAULT 'x'", "ALTER TABLE users ALTER COLUMN name DROP DEFAULT;"),
        ("ALTER TABLE posts ALTER title DROP NOT NULL", "ALTER TABLE posts ALTER COLUMN title SET NOT NULL;"),
        (
            "ALTER TABLE posts ALTER title TYPE text",
            "ALTER COLUMN title TYPE character varying(200);",
        ),
        ("ALTER TABLE posts DROP CONSTRAINT ck_posts_body_length", "ADD CONSTRAINT ck_posts_body_length CHECK"),
        ("ALTER TABLE posts ADD CONSTRAINT short CHECK (title <> '')", "ALTER TABLE posts DROP CONSTRAINT short;"),
        ("DROP INDEX ix_posts_published", "CREATE INDEX ix_posts_published ON public.posts"),
        ("CREATE INDEX stray ON posts (title)", "DROP INDEX stray;"),
        ("DROP TRIGGER audit_events_append_only ON audit_events", "CREATE TRIGGER audit_events_append_only"),
        (
            "ALTER TABLE posts DROP CONSTRAINT fk_posts_author_id_users",
            "fk_posts_author_id_users FOREIGN KEY (author_id) REFERENCES public.users(id) ON DELETE CASCADE;",
        ),
        ("CREATE TYPE mood AS ENUM ('good')", "DROP TYPE mood;"),
        ("CREATE TABLE stray (id int)", "DROP TABLE stray;"),
        ("CREATE FUNCTION stray() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION stray();"),
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


def test_the_statements_make_the_database_what_the_models_describe(database: URL, template: URL) -> None:
    ask(database, "ALTER TABLE posts DROP COLUMN slug")
    ask(database, "ALTER TABLE users ALTER is_active DROP DEFAULT, ADD stray int")
    ask(database, "DROP INDEX ix_posts_drafts")
    printed = check(database, template).output.partition("to the models:\n")[2]

    ask(database, printed)

    assert check(database, template).exit_code == 0
