"""`check`: what a live database has that the models don't describe, and the other way round, as SQL."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import psycopg
import pytest
from safestep.cli import make_app
from safestep.steps.backfill import CREATE_POSITIONS
from safestep_support.databases import ask
from safestep_support.revisions import Revisions
from sqlalchemy.engine import URL
from typer.testing import CliRunner, Result

type Check = Callable[[], Result]


@pytest.fixture
def check(revisions: Revisions, url: URL, server: URL) -> Check:
    """Runs the command on the test's database."""
    app = make_app(replace(revisions.project, database=lambda: nullcontext(url)))
    text = server.render_as_string(hide_password=False)
    return lambda: CliRunner().invoke(app, ["check", "--server", text])


def test_a_migrated_database_is_what_the_models_describe(check: Check) -> None:
    result = check()

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
        ("DROP TRIGGER events_append_only ON events", "CREATE TRIGGER events_append_only"),
        (
            "ALTER TABLE posts DROP CONSTRAINT fk_posts_author_id_users",
            "fk_posts_author_id_users FOREIGN KEY (author_id) REFERENCES public.users(id) ON DELETE CASCADE;",
        ),
        ("CREATE TYPE mood AS ENUM ('good')", "DROP TYPE public.mood;"),
        ("CREATE TABLE stray (id int)", "DROP TABLE public.stray;"),
        ("CREATE FUNCTION stray() RETURNS int LANGUAGE sql AS 'SELECT 1'", "DROP FUNCTION public.stray();"),
        (
            "CREATE OR REPLACE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN NULL; END $$",
            "RAISE EXCEPTION 'events is append-only'",
        ),
    ],
)
def test_what_differs_is_printed_as_sql(check: Check, url: URL, drift: str, remedy: str) -> None:
    ask(url, drift)

    result = check()

    assert result.exit_code == 1
    assert remedy in result.output


@pytest.mark.parametrize("name", ["stray", "ix_posts_drafts"])
def test_an_index_that_a_failed_build_left_is_dropped_first(check: Check, url: URL, name: str) -> None:
    author = "INSERT INTO users (id, name) VALUES (gen_random_uuid(), 'a') RETURNING id"
    twice = "SELECT gen_random_uuid(), id, 'same', '' FROM author, generate_series(1, 2)"
    ask(url, f"WITH author AS ({author}) INSERT INTO posts (id, author_id, title, body) {twice}")
    ask(url, f"DROP INDEX IF EXISTS {name}")
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask(url, f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON posts (title)")
    printed = check().output.partition("to the models:\n")[2]
    assert printed.startswith(f"DROP INDEX public.{name};")

    ask(url, printed)

    assert check().exit_code == 0


def test_the_position_of_a_backfill_is_no_drift(check: Check, url: URL) -> None:
    ask(url, CREATE_POSITIONS)

    assert check().exit_code == 0


def test_what_is_printed_makes_the_database_what_the_models_describe(check: Check, url: URL) -> None:
    ask(url, "ALTER TABLE posts DROP COLUMN slug")
    ask(url, "ALTER TABLE users ALTER is_active DROP DEFAULT, ADD stray int")
    ask(url, "DROP TABLE counters")
    printed = check().output.partition("to the models:\n")[2]

    ask(url, printed)

    assert check().exit_code == 0
