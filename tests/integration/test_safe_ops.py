"""The helpers for revisions: what each does to a database, by itself and as the SQL that it prints."""

import asyncio
import re
import subprocess
from typing import Any

import pytest
from alembic.util import CommandError
from pgfolder.server import binary
from safestep.migrations import commands as migrations
from safestep.migrations.lock import RUNNER
from safestep.migrations.runner import RunOptions
from safestep.steps import backfill
from safestep.steps.steps import Steps
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from tests.support.application import make_settings
from tests.support.database import ask, plain
from tests.support.revisions import KILLED, Revisions, on_change, open_transaction, until, upgrade
from tests.support.server import Clone

SMILES = """
    safestep.add_check_not_valid("ck_posts_smile", "posts", "title <> ' :smile' AND body <> '(:x)'")
    safestep.add_index_concurrently("ix_posts_smile", "posts", ["title"], postgresql_where="title <> ' :smile'")
    safestep.batched_backfill("posts", {"body": "' :was'"}, where="body = ' :is'")
    safestep.set_not_null_safely("posts", "a :b")
"""
SMILED = """
    SELECT pg_get_constraintdef((SELECT oid FROM pg_constraint WHERE conname = 'ck_posts_smile')),
           pg_get_indexdef('ix_posts_smile'::regclass),
           (SELECT array_agg(body ORDER BY body) FROM posts),
           (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'posts'::regclass AND attname = 'a :b')
"""
POSTS = """
    WITH made AS (INSERT INTO users (id, name) VALUES (gen_random_uuid(), 'someone') RETURNING id)
    INSERT INTO posts (id, author_id, title, body)
    SELECT gen_random_uuid(), made.id, n::text, CASE n WHEN 1 THEN ' :is' ELSE '' END
    FROM made, generate_series(1, {}) AS n
"""

CO_AUTHORS = """
    WITH person AS (INSERT INTO users (id, name) SELECT gen_random_uuid(), n::text FROM generate_series(1, 3) AS n
                    RETURNING id),
         post AS (INSERT INTO posts (id, author_id, title, body)
                  SELECT gen_random_uuid(), id, 'title', '' FROM person RETURNING id)
    INSERT INTO co_authorships (post_id, user_id, position) SELECT post.id, person.id, 1 FROM post, person
"""
PERCENT = """
    safestep.add_check_not_valid("ck_posts_percent", "posts", "title <> '100%'")
    safestep.batched_backfill("posts", {"body": "(length(body) % 2)::text || '%'"}, batch=2)
    op.execute("CREATE TABLE percents AS SELECT '100%'::text AS word, 5 % 2 AS rest, '%%' AS two")
"""
# Not idempotent on purpose: a row that is changed twice shows.
FILLS = """
    safestep.batched_backfill("co_authorships", {"position": "position + 1"}, key=["post_id", "user_id"], batch=4)
    safestep.batched_backfill("posts", {"body": "body || '$'"}, where="title <> '2'", batch=2, pause=0)
"""
FILLED = """
    SELECT (SELECT array_agg(position) FROM co_authorships), (SELECT array_agg(body ORDER BY title) FROM posts),
           to_regclass('postern_backfill'), (SELECT version_num FROM alembic_version)
"""
WAITS_LONG = f"""
    SELECT count(*) = 1 FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = '{RUNNER}' AND wait_event_type = 'Lock'
      AND clock_timestamp() - query_start > interval '0.5 s'
"""
INDEXES = """
    SELECT relname, relfilenode FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = 'posts'::regclass
    ORDER BY relname
"""
PSQL = "application_name = 'psql' AND datname = current_database()"
VERSION = "SELECT version_num FROM alembic_version"


async def printed(revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str], **values: Any) -> str:
    options = RunOptions(settings=make_settings(url, **values))
    await asyncio.to_thread(migrations.print_upgrade, url, "head", options, root=revisions.root)
    return capsys.readouterr().out


async def pipe(sql: str, url: URL) -> "subprocess.CompletedProcess[str]":
    """What comes of it in psql, as somebody would use what `--sql` prints."""
    command = [binary("psql"), "--no-psqlrc", "--quiet", "--dbname", plain(url)]
    return await asyncio.to_thread(subprocess.run, command, input=sql, capture_output=True, text=True, check=False)


async def brought(revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str], way: str) -> None:
    """The database to the newest revision: by running it, or by what `--sql` prints of it."""
    if way == "run":
        await upgrade(revisions, url)
    else:
        done = await pipe(await printed(revisions, url, capsys), url)
        assert not done.returncode, done.stderr


@pytest.mark.parametrize("way", ["run", "printed"])
async def test_a_colon_in_a_revisions_sql_stays_a_colon(
    revisions: Revisions, live_url: URL, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    ask(live_url, POSTS.format(2))
    ask(live_url, 'ALTER TABLE posts ADD "a :b" int DEFAULT 1')
    revisions.add("smiles", SMILES)
    await brought(revisions, live_url, capsys, way)
    ((check, index, bodies, is_required),) = ask(live_url, SMILED)
    assert "' :smile'" in check
    assert "'(:x)'" in check
    assert "' :smile'" in index
    assert (bodies, is_required) == (["", " :was"], True)


@pytest.mark.parametrize("way", ["run", "printed"])
async def test_a_percent_sign_in_a_revisions_sql_stays_one(
    revisions: Revisions, live_url: URL, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    ask(live_url, POSTS.format(3))
    revisions.add("percent", PERCENT)
    await brought(revisions, live_url, capsys, way)
    assert ask(live_url, "SELECT word, rest, two FROM percents") == [("100%", 1, "%%")]
    assert ask(live_url, "SELECT body FROM posts ORDER BY title") == [("0%",), ("0%",), ("0%",)]
    assert (
        "'100%'::text"
        in ask(live_url, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname ~ 'perce'")[0][0]
    )


async def test_a_printed_backfill_does_what_runs(
    revisions: Revisions, template: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    revisions.add("fill", FILLS)
    outcomes = []
    for way in ("run", "printed"):
        async with Clone(template) as url:
            ask(url, CO_AUTHORS)
            ask(url, POSTS.format(5))
            await brought(revisions, url, capsys, way)
            outcomes += ask(url, FILLED)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == [2] * 9


async def test_a_printed_backfill_goes_on_after_a_row_that_was_locked(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    revisions.add("fill", FILLS.replace("position + 1", "position + 2"))
    ask(url, CO_AUTHORS)
    sql = await printed(revisions, url, capsys)
    last = "SELECT 1 FROM co_authorships ORDER BY post_id DESC, user_id DESC LIMIT 1 FOR UPDATE"
    ask(url, backfill.CREATE_POSITIONS)
    async with open_transaction(url, last):
        piped = asyncio.create_task(pipe(sql.replace("500ms", "50ms"), url))
        await until(url, "SELECT coalesce(max(seen), 0) = 8 FROM postern_backfill")
        await asyncio.sleep(0.2)
    done = await piped
    assert not done.returncode, done.stderr
    assert ask(url, FILLED)[0][0] == [3] * 9


async def test_a_printed_backfill_that_was_ended_goes_on_where_it_was(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    revisions.add("fill", FILLS.replace("batch=4", "batch=1, pause=0.2"))
    ask(url, CO_AUTHORS)
    sql = await printed(revisions, url, capsys)
    ask(url, backfill.CREATE_POSITIONS)
    piped = asyncio.create_task(pipe(sql, url))
    await until(url, "SELECT coalesce(sum(seen), 0) BETWEEN 2 AND 8 FROM postern_backfill")
    ask(url, f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {PSQL}")
    assert (await piped).returncode
    assert ask(url, VERSION) != [("fill",)]
    done = await pipe(sql, url)
    assert not done.returncode, done.stderr
    assert ask(url, FILLED)[0][0] == [2] * 9


async def test_a_printed_backfill_may_take_longer_than_a_statement(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    revisions.add("fill", 'safestep.batched_backfill("posts", {"body": "1"}, batch=1, pause=0.1)')
    ask(url, POSTS.format(5))
    done = await pipe(await printed(revisions, url, capsys, migration_statement_timeout=0.2), url)
    assert not done.returncode, done.stderr


async def test_a_printed_revision_is_not_recorded_after_a_step_that_failed(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    revisions.add("unique", 'safestep.add_index_concurrently("uq_posts_body", "posts", ["body"], unique=True)')
    ask(url, POSTS.format(3))
    before = ask(url, VERSION)
    done = await pipe(await printed(revisions, url, capsys), url)
    assert done.returncode == 3
    assert "could not create unique index" in done.stderr
    assert ask(url, VERSION) == before


@pytest.mark.parametrize("way", ["run", "printed"])
async def test_two_backfills_that_say_the_same_both_run(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    fill = 'safestep.batched_backfill("posts", {"body": "body || 2"}, batch=2, pause=0)'
    revisions.add("twice", f"{fill}\n{fill}")
    revisions.add("again", fill)
    revisions.add("nothing", "pass")
    ask(url, POSTS.format(3))
    if way == "run":
        await upgrade(revisions, url)
    else:
        sql = await printed(revisions, url, capsys)
        first, second, third = re.findall(r"VALUES \('(\w{64})'\)", sql)
        assert first == third != second, "a revision's count begins anew, or a run that begins with it has another"
        done = await pipe(sql, url)
        assert not done.returncode, done.stderr
    assert ask(url, "SELECT DISTINCT body FROM posts WHERE body !~ 'is'") == [("222",)]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ('"posts", {"id": "gen_random_uuid()"}', "can't go along id and change it"),
        ('"posts", {"body": "1"}, key="slug"', "can't go along slug: rows where that is null"),
        ('"posts", {"body": "1"}, key="key"', "posts has no column key"),
    ],
)
async def test_a_backfill_along_a_column_that_cannot_lead_it_is_refused(
    revisions: Revisions, url: URL, call: str, reason: str
) -> None:
    revisions.add("wrong", f"safestep.batched_backfill({call})")
    with pytest.raises(CommandError, match=reason):
        await upgrade(revisions, url)


@pytest.mark.parametrize("way", ["run", "printed"])
async def test_a_backfill_may_meet_any_name_of_a_column(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    ask(url, 'CREATE TABLE odd (key_0 int PRIMARY KEY, name int, last_key int, found int, "Is :done" int DEFAULT 1)')
    ask(url, "INSERT INTO odd SELECT n, n, n, n FROM generate_series(1, 5) AS n")
    values = '{"name": "name + key_0", "last_key": "found", "Is :done": "last_key"}'
    revisions.add("odd", f'safestep.batched_backfill("odd", {values}, where="name > 1", key="key_0", batch=2)')
    await brought(revisions, url, capsys, way)
    assert ask(url, 'SELECT sum(name), sum("Is :done") FROM odd') == [(29, 15)]


async def test_a_backfill_rests_as_long_as_a_slow_batch_took(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(Steps, "sleep", lambda _steps, seconds: rests.append(seconds))
    ask(url, POSTS.format(3))
    slow = '{"body": "pg_sleep(0.15)::text"}'
    revisions.add("slow", f'safestep.batched_backfill("posts", {slow}, batch=2, pause=0.01)')
    await upgrade(revisions, url)
    assert 0.3 < rests[0] < 5
    assert rests[1] == 0


ODD = """
    CREATE SCHEMA "App";
    CREATE TABLE "App"."Owners" ("Id" int PRIMARY KEY);
    CREATE TABLE "App"."Things" ("Id" int PRIMARY KEY, "Owner" int, note text DEFAULT '');
    CREATE TABLE "Things" (id int);
    INSERT INTO "App"."Owners" SELECT generate_series(1, 5);
    INSERT INTO "App"."Things" SELECT n, n FROM generate_series(1, 5) AS n
"""
EVERY_HELPER = """
    there = {"schema": "App"}
    safestep.add_index_concurrently("ix_Owner", "Things", ["Owner"], **there)
    safestep.add_foreign_key_not_valid(
        "fk_Owner", "Things", "Owners", ["Owner"], ["Id"], referred_schema="App", ondelete="cascade", **there
    )
    safestep.validate_constraint("fk_Owner", "Things", **there)
    safestep.add_check_not_valid("ck_Owner", "Things", '"Owner" > 0', **there)
    safestep.validate_constraint("ck_Owner", "Things", **there)
    safestep.batched_backfill("Things", {"note": "note || 'x'"}, key="Id", batch=2, pause=0, **there)
    safestep.set_not_null_safely("Things", "Owner", **there)
    safestep.add_index_concurrently("ix_gone", "Things", ["note"], **there)
    safestep.drop_index_concurrently("ix_gone", "Things", **there)
"""
ODD_AFTER = """
    SELECT (SELECT array_agg(conname || convalidated ORDER BY conname COLLATE "C") FROM pg_constraint
            WHERE conrelid = '"App"."Things"'::regclass AND contype IN ('c', 'f')),
           (SELECT array_agg(relname || indisvalid ORDER BY relname COLLATE "C")
            FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = '"App"."Things"'::regclass),
           (SELECT array_agg(DISTINCT note) FROM "App"."Things"),
           (SELECT attnotnull FROM pg_attribute WHERE attrelid = '"App"."Things"'::regclass AND attname = 'Owner')
"""
ODD_DONE = [(["ck_Ownertrue", "fk_Ownertrue"], ["Things_pkeytrue", "ix_Ownertrue"], ["x"], True)]


@pytest.mark.parametrize("way", ["run", "printed"])
async def test_every_helper_works_in_another_schema_and_with_capitals(
    revisions: Revisions, live_url: URL, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    ask(live_url, ODD)
    revisions.add("odd", EVERY_HELPER)
    await brought(revisions, live_url, capsys, way)
    assert ask(live_url, ODD_AFTER) == ODD_DONE


async def test_what_is_done_in_another_schema_is_not_done_again(revisions: Revisions, url: URL) -> None:
    ask(url, ODD)
    revisions.add("odd", EVERY_HELPER.replace("note ||", "note || note ||"))
    await upgrade(revisions, url)
    revisions.add("again", EVERY_HELPER)
    with on_change(lambda *_: None) as changes:
        await upgrade(revisions, url)
    assert [change for change in changes if change.startswith("ALTER")] == []
    assert [change for change in changes if "ix_Owner" in change] == []


async def test_an_index_of_another_schema_that_was_left_invalid_is_built_again(revisions: Revisions, url: URL) -> None:
    ask(url, ODD)
    revisions.add("odd", 'safestep.add_index_concurrently("ix_Owner", "Things", ["Owner"], schema="App")')
    async with open_transaction(url, 'LOCK TABLE "App"."Things" IN ROW EXCLUSIVE MODE'):
        with pytest.raises(CommandError, match="statement timeout"):
            await upgrade(revisions, url, migration_concurrent_timeout=0.2)
    assert ask(url, ODD_AFTER)[0][1] == ["Things_pkeytrue", "ix_Ownerfalse"]
    await upgrade(revisions, url)
    assert ask(url, ODD_AFTER)[0][1] == ["Things_pkeytrue", "ix_Ownertrue"]


async def test_a_not_null_that_was_left_half_done_is_finished(revisions: Revisions, url: URL) -> None:
    """The name of its check is cut by bytes, as PostgreSQL cuts it."""
    column = "ü" * 25
    ask(url, f'ALTER TABLE posts ADD "{column}" int')
    ask(url, POSTS.format(1))
    revisions.add("required", f'safestep.set_not_null_safely("posts", "{column}")')
    with pytest.raises(IntegrityError):
        await upgrade(revisions, url)
    ask(url, f'UPDATE posts SET "{column}" = 1')
    await upgrade(revisions, url)
    left = "SELECT count(*) FROM pg_constraint WHERE conname ~ '^ck_posts_ü'"
    required = f"SELECT attnotnull FROM pg_attribute WHERE attname = '{column}' AND attrelid = 'posts'::regclass"
    assert ask(url, left) + ask(url, required) == [(0,), (True,)]


@pytest.mark.parametrize(
    ("there", "call"),
    [
        ("CREATE INDEX ix_taken ON posts (title)", 'add_index_concurrently("ix_taken", "posts", ["body"])'),
        ("CREATE INDEX ix_taken ON posts (title)", 'add_index_concurrently("ix_taken", "posts", ["title", "body"])'),
        ("CREATE INDEX ix_taken ON posts (title, body)", 'add_index_concurrently("ix_taken", "posts", ["title"])'),
        (
            "CREATE INDEX ix_taken ON posts (title)",
            'add_index_concurrently("ix_taken", "posts", ["title"], unique=True)',
        ),
        (
            "CREATE INDEX ix_taken ON posts (title) WHERE title > ''",
            'add_index_concurrently("ix_taken", "posts", ["title"])',
        ),
        (
            "CREATE INDEX ix_taken ON posts (title)",
            'add_index_concurrently("ix_taken", "posts", ["title"], postgresql_where="title > \'\'")',
        ),
        (
            "CREATE INDEX ix_taken ON posts (title) INCLUDE (body)",
            'add_index_concurrently("ix_taken", "posts", ["title"], postgresql_include=["slug"])',
        ),
        (
            "CREATE INDEX ix_taken ON posts USING hash (title)",
            'add_index_concurrently("ix_taken", "posts", ["title"])',
        ),
        (
            "CREATE INDEX ix_taken ON users (name)",
            'add_index_concurrently("ix_taken", "posts", ["name"])',
        ),
        (
            "ALTER TABLE posts ADD r uuid, ADD CONSTRAINT taken FOREIGN KEY (r) REFERENCES users",
            'add_foreign_key_not_valid("taken", "posts", "users", ["author_id"], ["id"])',
        ),
        (
            "ALTER TABLE posts ADD r uuid, ADD CONSTRAINT taken FOREIGN KEY (r) REFERENCES users",
            'add_foreign_key_not_valid("taken", "posts", "posts", ["r"], ["id"])',
        ),
        (
            "ALTER TABLE posts ADD r uuid, ADD CONSTRAINT taken FOREIGN KEY (r) REFERENCES users",
            'add_foreign_key_not_valid("taken", "posts", "users", ["r"], ["id"], ondelete="SET NULL")',
        ),
        (
            "ALTER TABLE posts ADD CONSTRAINT taken CHECK (title > '')",
            'add_foreign_key_not_valid("taken", "posts", "users", ["author_id"], ["id"])',
        ),
        (
            "ALTER TABLE posts ADD CONSTRAINT taken UNIQUE (title)",
            """add_check_not_valid("taken", "posts", "title > ''")""",
        ),
    ],
)
async def test_another_object_of_the_same_name_is_not_taken_for_done(
    revisions: Revisions, live_url: URL, there: str, call: str
) -> None:
    ask(live_url, there)
    revisions.add("same", f"safestep.{call}")
    with pytest.raises(CommandError, match=r"there is another index|another constraint") as one:
        await upgrade(revisions, live_url)
    assert len(str(one.value).splitlines()) == 1


async def test_the_same_object_is_taken_for_done(revisions: Revisions, live_url: URL) -> None:
    body = """
        safestep.add_index_concurrently(
            "ix_done", "posts", [sa.text("lower(title)"), "body"], unique=True, postgresql_using="BTREE",
            postgresql_where=sa.text("title > ''"), postgresql_include=["slug"],
        )
        safestep.add_foreign_key_not_valid(
            "fk_done", "co_authorships", "users", ["user_id"], ["id"], ondelete="Restrict", onupdate="CASCADE"
        )
        safestep.add_check_not_valid("ck_done", "posts", "title > ''")
    """
    revisions.add("once", body)
    revisions.add("twice", body)
    await upgrade(revisions, live_url)
    assert ask(live_url, VERSION) == [("twice",)]


async def test_a_constraint_is_validated_with_patience(revisions: Revisions, url: URL) -> None:
    ask(url, "ALTER TABLE posts ADD CONSTRAINT ck_posts_title CHECK (title <> 'x') NOT VALID")
    revisions.add("validate", 'safestep.validate_constraint("ck_posts_title", "posts")')
    async with open_transaction(url, "LOCK TABLE posts IN SHARE UPDATE EXCLUSIVE MODE"):
        upgrading = asyncio.create_task(upgrade(revisions, url, migration_attempts=1))
        await until(url, WAITS_LONG)
    await upgrading
    assert ask(url, "SELECT convalidated FROM pg_constraint WHERE conname = 'ck_posts_title'") == [(True,)]


async def test_a_not_null_that_rows_still_break_is_not_taken_for_done(revisions: Revisions, url: URL) -> None:
    if ask(url, "SELECT current_setting('server_version_num')::int < 180000") == [(True,)]:
        pytest.skip("before PostgreSQL 18 there is none")
    ask(url, POSTS.format(1))
    ask(url, "ALTER TABLE posts ADD CONSTRAINT nn_posts_slug NOT NULL slug NOT VALID")
    revisions.add("required", 'safestep.set_not_null_safely("posts", "slug")')
    with pytest.raises(IntegrityError):
        await upgrade(revisions, url)
    ask(url, "UPDATE posts SET slug = title")
    await upgrade(revisions, url)
    assert ask(url, "SELECT convalidated FROM pg_constraint WHERE conname = 'nn_posts_slug'") == [(True,)]


@pytest.mark.parametrize("name", ["ix_Posts.title", f"ix_{'ü' * 30}"])
async def test_an_index_is_rebuilt_also_after_a_failure(revisions: Revisions, live_url: URL, name: str) -> None:
    ask(live_url, f'CREATE INDEX "{name}" ON posts (title)')
    before = ask(live_url, INDEXES)
    revisions.add("rebuild", f'safestep.reindex_concurrently("{name}")')
    for _ in range(2):
        async with open_transaction(live_url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
            with pytest.raises(CommandError, match="statement timeout"):
                await upgrade(revisions, live_url, migration_concurrent_timeout=0.2)
    assert len(ask(live_url, INDEXES)) > len(before)
    await upgrade(revisions, live_url)
    after = ask(live_url, INDEXES)
    assert [index[0] for index in after] == [index[0] for index in before]
    assert [new for new, _ in set(after) - set(before)] == [name]


async def test_the_leftovers_of_another_index_stay(revisions: Revisions, url: URL) -> None:
    ask(url, "CREATE INDEX ix_a ON posts (title)")
    revisions.add("other", 'safestep.reindex_concurrently("ix_a")')
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
        with pytest.raises(CommandError, match="statement timeout"):
            await upgrade(revisions, url, migration_concurrent_timeout=0.2)
    ask(url, "CREATE INDEX ix_ab ON posts (title)")
    (revisions.root / "alembic" / "versions" / "other.py").unlink()
    revisions.add("rebuild", 'safestep.reindex_concurrently("ix_ab")')
    await upgrade(revisions, url)
    assert [name for name, *_ in ask(url, INDEXES) if "_cc" in name] == ["ix_a_ccnew"]


async def test_a_rebuild_waits_for_old_transactions_with_patience(revisions: Revisions, url: URL) -> None:
    revisions.add("rebuild", 'safestep.reindex_concurrently("ix_posts_drafts")')
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
        upgrading = asyncio.create_task(upgrade(revisions, url, migration_attempts=1))
        await until(url, WAITS_LONG)
    await upgrading


VIEW = 'CREATE MATERIALIZED VIEW "Counts" AS SELECT author_id, count(*) AS posts FROM posts GROUP BY 1 WITH NO DATA'


async def test_a_view_is_refreshed_while_it_is_read(revisions: Revisions, live_url: URL) -> None:
    ask(live_url, VIEW)
    ask(live_url, 'CREATE UNIQUE INDEX uq_counts ON "Counts" (author_id)')
    revisions.add("first", 'safestep.refresh_concurrently("Counts", schema="public")')
    await upgrade(revisions, live_url)
    ask(live_url, POSTS.format(3))
    revisions.add("second", 'safestep.refresh_concurrently("Counts", schema="public")')
    async with open_transaction(live_url, 'SELECT count(*) FROM "Counts"'):
        await upgrade(revisions, live_url)
    assert ask(live_url, 'SELECT posts FROM "Counts"') == [(3,)]


async def test_a_refresh_waits_for_another_with_patience(revisions: Revisions, url: URL) -> None:
    ask(url, VIEW.replace("NO DATA", "DATA"))
    ask(url, 'CREATE UNIQUE INDEX uq_counts ON "Counts" (author_id)')
    revisions.add("refresh", 'safestep.refresh_concurrently("Counts")')
    async with open_transaction(url, 'REFRESH MATERIALIZED VIEW CONCURRENTLY "Counts"'):
        upgrading = asyncio.create_task(upgrade(revisions, url, migration_attempts=1))
        await until(url, WAITS_LONG)
    await upgrading


async def test_rebuilding_and_refreshing_are_printed(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(url, VIEW.replace("NO DATA", "DATA"))
    ask(url, 'CREATE UNIQUE INDEX uq_counts ON "Counts" (author_id)')
    revisions.add("both", 'safestep.reindex_concurrently("uq_counts")\nsafestep.refresh_concurrently("Counts")')
    sql = await printed(revisions, url, capsys)
    assert "REINDEX INDEX CONCURRENTLY uq_counts;" in sql
    assert 'REFRESH MATERIALIZED VIEW CONCURRENTLY "Counts";' in sql
    done = await pipe(sql, url)
    assert not done.returncode, done.stderr


async def test_a_rebuild_and_a_refresh_that_were_killed_before_they_were_recorded_are_done_again(
    revisions: Revisions, url: URL
) -> None:
    ask(url, VIEW.replace("NO DATA", "DATA"))
    ask(url, 'CREATE UNIQUE INDEX uq_counts ON "Counts" (author_id)')
    revisions.add("both", 'safestep.reindex_concurrently("uq_counts")\nsafestep.refresh_concurrently("Counts")')
    process = revisions.upgrade_in_process(url, die_before=0)
    await asyncio.to_thread(process.join)
    assert process.exitcode == KILLED
    await upgrade(revisions, url)
    assert ask(url, VERSION) == [("both",)]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ('reindex_concurrently("posts")', "there is no index 'posts'"),
        ('refresh_concurrently("posts")', "there is no materialized view 'posts'"),
    ],
)
async def test_what_is_not_there_is_named(revisions: Revisions, url: URL, call: str, reason: str) -> None:
    revisions.add("wrong", f"safestep.{call}")
    with pytest.raises(CommandError, match=reason):
        await upgrade(revisions, url)
