"""Upgrades beside traffic, other runners and open transactions."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from alembic import command
from alembic.util import CommandError
from safestep.cli import db
from safestep.migrations import commands as migrations
from safestep.migrations import lock as migration_lock
from safestep.migrations.lock import KEY, LOCK_HOLDER, RUNNER
from safestep.migrations.plan import Phase
from safestep.migrations.runner import RunOptions
from safestep.steps import backfill
from safestep.steps.steps import Steps
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool
from typer.testing import CliRunner, Result

from app.cli.main import app as cli
from app.core.errors import InvalidSettings
from tests.support.application import SECRET, make_settings
from tests.support.revisions import Revisions, execute, on_change, open_transaction, until, upgrade
from tests.support.server import Clone

READ = "SELECT count(*) FROM posts"
ADD_COLUMN = 'op.add_column("posts", sa.Column("extra", sa.Text()))'
ADD_INDEX = 'safestep.add_index_concurrently("ix_posts_title", "posts", ["title"])'
HAS_COLUMN = "SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = 'posts'::regclass AND attname = 'extra'"
HAS_INDEX = "SELECT count(*) = 1 FROM pg_index WHERE indexrelid = to_regclass('ix_posts_title') AND indisvalid"
SESSIONS = "SELECT count(*) = {} FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{}'"
HAVE_TRIED = f"""
    SELECT count(*) = {{}} FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = '{LOCK_HOLDER}' AND state = 'idle'
      AND query ~ 'pg_try_advisory_lock|pg_locks'
"""
WAITS_LONG = f"""
    SELECT count(*) = 1 FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = '{RUNNER}' AND wait_event_type = 'Lock'
      AND clock_timestamp() - query_start > interval '0.5 s'
"""


async def spoken(said: list[str], words: str) -> None:
    async with asyncio.timeout(20):
        while True:
            if any(words in line for line in said):
                return
            await asyncio.sleep(0.005)


@asynccontextmanager
async def autocommit(url: URL) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection


@asynccontextmanager
async def lock_held(url: URL) -> AsyncIterator[None]:
    async with autocommit(url) as connection:
        await connection.execute(text(f"SELECT pg_advisory_lock({KEY})"))
        yield


async def test_replicas_that_start_at_once_migrate_once(revisions: Revisions, template: URL) -> None:
    async with Clone(template.set(database="template0")) as empty:
        async with lock_held(empty):
            replicas = [revisions.upgrade_in_process(empty) for _ in range(5)]
            await until(empty, HAVE_TRIED.format(5))
        said = [await revisions.said_by(replica) for replica in replicas]
    assert all(lines[0].startswith("another migration is running (pid ") for lines in said)
    assert sum("nothing to do" in lines for lines in said) == 4
    assert sum("users and posts - " in line for lines in said for line in lines) == 1


async def test_the_plain_alembic_command_waits_for_its_turn_too(url: URL) -> None:
    config = migrations.config(url)
    config.stdout = StringIO()
    async with lock_held(url):
        upgrading = asyncio.create_task(asyncio.to_thread(command.upgrade, config, "head"))
        await until(url, HAVE_TRIED.format(1))
    await upgrading
    waited, done = config.stdout.getvalue().splitlines()
    assert waited.startswith("another migration is running")
    assert done == "nothing to do"


async def test_the_plain_alembic_command_takes_the_phase_and_the_yes(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    revisions.add("away", "pass", marks='phase = "contract"\ndestructive = True')

    def alembic(*options: str) -> str:
        config = migrations.config(url, root=revisions.root)
        config.stdout = StringIO()
        config.cmd_opts = Namespace(x=list(options))
        command.upgrade(config, "head")
        return config.stdout.getvalue()

    said = await asyncio.to_thread(alembic, "phase=expand")
    assert said.startswith("nothing to do\nstopped before away")
    with pytest.raises(CommandError, match="-x phase=expand"):
        await asyncio.to_thread(alembic, "phase=shrink")
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setenv("SECRET_KEYS", f"test:{SECRET}")
    with pytest.raises(CommandError, match="-x yes"):
        await asyncio.to_thread(alembic)
    assert (await asyncio.to_thread(alembic, "yes")).startswith("away (contract)")


async def test_a_runner_that_waits_for_another_does_not_block_its_index_build(revisions: Revisions, url: URL) -> None:
    revisions.add("index", ADD_INDEX)
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
        first = revisions.upgrade_in_process(url)
        await until(url, WAITS_LONG)
        second = revisions.upgrade_in_process(url)
        await until(url, SESSIONS.format(2, LOCK_HOLDER))
    assert (await revisions.said_by(first))[-1].startswith("index ")
    assert (await revisions.said_by(second))[-1] == "nothing to do"
    assert await execute(url, HAS_INDEX) == (True,)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"pid": 0}, "a prepared transaction"),
        ({"pid": 7, "backend_type": "autovacuum worker"}, "pid 7 (autovacuum worker)"),
        ({"pid": 7}, "pid 7 (no application name, state hidden: grant pg_read_all_stats)"),
    ],
)
def test_whoever_blocks_is_described(row: dict[str, Any], words: str) -> None:
    unknown = dict.fromkeys(["application_name", "state", "backend_type", "age"])
    assert migration_lock._describe(SimpleNamespace(**unknown | row)) == words


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_traffic_passes_while_a_migration_waits_for_an_open_transaction(
    revisions: Revisions, template: URL, driver: str
) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    async with Clone(template, driver=driver) as url:
        async with open_transaction(url, READ) as blocker:
            upgrading = asyncio.create_task(upgrade(revisions, url, said=said, migration_attempts=1000))
            await spoken(said, "attempt 2 of 1000")
            async with asyncio.timeout(20):
                assert await execute(url, READ) == (0,)
            assert await execute(url, HAS_COLUMN) == (False,)
        await upgrading
        assert await execute(url, HAS_COLUMN) == (True,)
    assert f"blocked by pid {blocker} (forgotten, idle in transaction, transaction open for " in said[0]
    assert "count" not in said[0], "a query's text may hold data"


async def test_traffic_is_stalled_once_by_transactions_that_stay_open(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    with on_change(lambda *_: None) as changes:
        async with open_transaction(url, READ) as blocker:
            async with open_transaction(url, READ) as another:
                upgrading = asyncio.create_task(upgrade(revisions, url, said=said, migration_attempts=1000))
                pid = min(blocker, another)
                await spoken(said, f"attempt 3 of 1000: not tried, for the transaction of pid {pid} is still open")
            seen = len(said)
            await spoken(said, f"attempt {seen + 3} of 1000: not tried")
        await upgrading
    assert sum(change.startswith("ALTER TABLE posts") for change in changes) == 2


async def as_ordinary_role(url: URL) -> URL:
    """A role that owns the tables and may look into nobody else's session."""
    role = f"migrator_{url.database}"
    for statement in (
        f"CREATE ROLE {role} LOGIN PASSWORD 'migrator'",
        f"GRANT CREATE ON SCHEMA public TO {role}",
        f"ALTER TABLE alembic_version OWNER TO {role}",
        f"ALTER TABLE posts OWNER TO {role}",
    ):
        await execute(url, statement)
    return url.set(username=role, password="migrator")


async def test_a_role_that_sees_no_other_session_knows_when_a_transaction_ends(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    ordinary = await as_ordinary_role(url)
    try:
        with on_change(lambda *_: None) as changes:
            async with open_transaction(url, READ):
                upgrading = asyncio.create_task(upgrade(revisions, ordinary, said=said, migration_attempts=1000))
                await spoken(said, "attempt 4 of 1000: not tried")
            await upgrading
        assert "state hidden: grant pg_read_all_stats" in said[0]
        assert sum(change.startswith("ALTER TABLE posts") for change in changes) == 2
    finally:
        for statement in ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}", "DROP ROLE {}"):
            await execute(url, statement.format(ordinary.username))


async def test_a_prepared_transaction_is_waited_for_like_any_other(revisions: Revisions, url: URL) -> None:
    if await execute(url, "SHOW max_prepared_transactions") == ("0",):
        pytest.skip("this server takes no prepared transactions")
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    for name, table in (("in_the_way", "posts"), ("elsewhere", "users")):
        async with autocommit(url) as connection:
            for statement in ("BEGIN", f"SELECT FROM {table}", f"PREPARE TRANSACTION '{name}'"):
                await connection.execute(text(statement))
    async with autocommit(url) as connection:
        try:
            upgrading = asyncio.create_task(upgrade(revisions, url, said=said, migration_attempts=1000))
            await spoken(said, "attempt 3 of 1000: not tried, for a prepared transaction is still open")
            await connection.execute(text("ROLLBACK PREPARED 'in_the_way'"))
            await upgrading
        finally:
            await connection.execute(text("ROLLBACK PREPARED 'elsewhere'"))


@pytest.mark.parametrize(("state", "words"), [("55P03", "a lock wasn't free in time"), ("40P01", "a deadlock")])
async def test_attempts_count_for_one_revision(revisions: Revisions, url: URL, state: str, words: str) -> None:
    for name in ("first", "second"):
        await execute(url, f"CREATE SEQUENCE tries_of_{name}")  # goes on through rollbacks
        fail = f"RAISE EXCEPTION 'planted' USING ERRCODE = '{state}'"
        body = f"DO $$ BEGIN IF nextval('tries_of_{name}') < 3 THEN {fail}; END IF; END $$"
        revisions.add(name, f"op.execute({body!r})")

    said = await upgrade(revisions, url, migration_attempts=3)

    assert [line.split(":")[1].strip() for line in said if "attempt" in line] == [
        "attempt 1 of 3",
        "attempt 2 of 3",
        "attempt 1 of 3",
        "attempt 2 of 3",
    ]
    assert words in said[0]
    assert said[-1] == "2 revisions done"


async def test_a_migration_goes_on_as_soon_as_nobody_is_in_its_way(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safestep.migrations.retry.random.uniform", lambda *_: 6000)
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    async with open_transaction(url, READ):
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said))
        await spoken(said, "again in 60.0 s")
    async with asyncio.timeout(20):
        await upgrading
    assert await execute(url, HAS_COLUMN) == (True,)


async def test_a_migration_that_never_gets_its_lock_gives_up_in_one_line(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    async with open_transaction(url, READ):
        with (
            on_change(lambda *_: None) as changes,
            pytest.raises(CommandError, match="gave up after attempt 3 of 3") as failed,
        ):
            await upgrade(revisions, url, said=said)
    assert sum(change.startswith("ALTER TABLE posts") for change in changes) == 2, "the first attempt, and the last"
    assert len(str(failed.value).splitlines()) == 1
    assert len(said) == 2
    assert await execute(url, HAS_COLUMN) == (False,)
    assert (await upgrade(revisions, url))[-1].startswith("column (expand) a test's - ")


async def test_a_lock_on_the_version_table_is_waited_for_like_any_other(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    async with open_transaction(url, READ):
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said, migration_attempts=1000))
        await spoken(said, "attempt 1")
        async with open_transaction(url, "LOCK TABLE alembic_version"):
            seen = len(said)
            await spoken(said, f"attempt {seen + 3} of")
    await upgrading
    assert await execute(url, HAS_COLUMN) == (True,)


async def test_an_index_build_waits_for_old_transactions_longer_than_for_locks(revisions: Revisions, url: URL) -> None:
    revisions.add("index", ADD_INDEX)
    said: list[str] = []
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said))
        await until(url, WAITS_LONG)
    await upgrading
    assert "attempt" not in said[0]
    assert await execute(url, HAS_INDEX) == (True,)


async def test_a_long_wait_says_for_whom(revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_lock, "LONG_WAIT", 0.1)
    revisions.add("index", ADD_INDEX)
    said: list[str] = []
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE") as blocker:
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said))
        await spoken(said, f"waiting for pid {blocker} (forgotten, ")
    await upgrading


async def test_an_index_that_was_left_invalid_is_built_again(revisions: Revisions, url: URL) -> None:
    revisions.add("index", ADD_INDEX)
    async with open_transaction(url, "LOCK TABLE posts IN ROW EXCLUSIVE MODE"):
        with pytest.raises(CommandError, match="statement timeout"):
            await upgrade(revisions, url, migration_concurrent_timeout=0.2)
    assert await execute(url, HAS_INDEX) == (False,)
    with on_change(lambda *_: None) as changes:
        await upgrade(revisions, url)
    assert changes[0] == "DROP INDEX CONCURRENTLY IF EXISTS ix_posts_title"
    assert await execute(url, HAS_INDEX) == (True,)


async def test_a_run_that_loses_the_lock_stops(revisions: Revisions, url: URL) -> None:
    revisions.add("column", ADD_COLUMN)
    said: list[str] = []
    end = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{LOCK_HOLDER}'"
    async with open_transaction(url, READ):
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said, migration_attempts=1000))
        await spoken(said, "attempt 1")
        await execute(url, f"{end} AND datname = current_database()")
        with pytest.raises(CommandError, match="the migration lock was lost"):
            await upgrading
    await until(url, SESSIONS.format(0, RUNNER))
    assert await execute(url, HAS_COLUMN) == (False,)


async def test_the_expand_phase_stops_at_the_first_revision_that_contracts(revisions: Revisions, url: URL) -> None:
    revisions.add("first", ADD_COLUMN, message="new column")
    revisions.add("second", 'op.drop_column("posts", "extra")', marks='phase = "contract"', message="old column")
    revisions.add("third", "pass", marks='phase = "expand"')
    said = await upgrade(revisions, url, until=Phase.EXPAND)
    assert said[0].startswith("first (expand) new column - ")
    assert said[1:] == [
        "stopped before second (contract) old column, and 1 after it: run the rest once the new code is out everywhere"
    ]
    assert await execute(url, "SELECT version_num FROM alembic_version") == ("first",)
    said = await upgrade(revisions, url)
    assert said[-1] == "2 revisions done"
    assert await upgrade(revisions, url) == ["nothing to do"]


async def test_a_phase_that_does_not_exist_is_refused(revisions: Revisions, url: URL) -> None:
    revisions.add("odd", "pass", marks='phase = "contrast"')
    with pytest.raises(CommandError, match="odd: phase is 'expand' or 'contract', not 'contrast'"):
        await upgrade(revisions, url)


async def test_in_production_what_loses_data_needs_a_yes(revisions: Revisions, url: URL) -> None:
    revisions.add("away", "pass", marks='phase = "contract"\ndestructive = True', message="drop it")
    with pytest.raises(CommandError, match=r"needs --yes .*: away \(contract\) drop it$"):
        await upgrade(revisions, url, environment="production")
    assert (await upgrade(revisions, url))[0].startswith("away")


async def test_a_downgrade_in_production_needs_a_yes_on_the_command_line(url: URL) -> None:
    def downgrade(*arguments: str) -> Result:
        settings = {"ENVIRONMENT": "production", "DATABASE_URL": url.render_as_string(hide_password=False)}
        environment = settings | {"SECRET_KEYS": f"test:{SECRET}"}
        return CliRunner().invoke(cli, ["db", "downgrade", *arguments, "base"], env=environment)

    refused = await asyncio.to_thread(downgrade)
    assert isinstance(refused.exception, CommandError)
    assert "needs --yes" in str(refused.exception)
    assert "DROP TABLE users" in (await asyncio.to_thread(downgrade, "--sql")).output
    assert await execute(url, READ) == (0,)
    done = await asyncio.to_thread(downgrade, "--yes")
    assert done.exit_code == 0
    assert " (down) " in done.output


def test_on_a_terminal_the_question_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.confirm", lambda question: asked.append(question) or True)
    assert db._consent(yes=False)("This drops posts")
    assert asked == ["This drops posts. Go on?"]


async def test_the_printed_sql_is_what_runs(revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]) -> None:
    revisions.add(
        "helpers",
        """
        safestep.add_check_not_valid("ck_posts_title", "posts", "title <> 'a:b'")
        safestep.validate_constraint("ck_posts_title", "posts")
        safestep.set_not_null_safely("posts", "slug")
        safestep.drop_index_concurrently("ix_posts_drafts", "posts")
        safestep.add_index_concurrently("ix_posts_title", "posts", ["title"])
        op.create_table("extras", sa.Column("id", sa.Uuid(), primary_key=True))
        """,
    )
    options = RunOptions(settings=make_settings(url))
    await asyncio.to_thread(migrations.print_upgrade, url, "head", options, root=revisions.root)
    printed = " ".join(capsys.readouterr().out.split())
    with on_change(lambda *_: None) as changes:
        await upgrade(revisions, url)
    assert len(changes) == 10
    places = [printed.find(change.rstrip(";")) for change in changes if not change.startswith("UPDATE alembic_version")]
    assert -1 not in places
    assert places == sorted(places)
    assert printed.startswith("\\set ON_ERROR_STOP on SET lock_timeout = '2000ms';")
    await asyncio.to_thread(migrations.print_upgrade, url, "head", options, root=revisions.root)
    assert capsys.readouterr().out.endswith("-- nothing to do\n\n")


async def test_what_is_printed_for_a_phase_ends_where_the_phase_does(
    revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    revisions.add("column", ADD_COLUMN)
    revisions.add("later", "pass", marks='phase = "contract"')
    options = RunOptions(Phase.EXPAND, settings=make_settings(url))
    await asyncio.to_thread(migrations.print_upgrade, url, "head", options, root=revisions.root)
    printed = capsys.readouterr().out
    assert "ADD COLUMN extra" in printed
    assert "-- stopped before later (contract)" in printed


async def test_a_step_that_commits_refuses_to_commit_what_stands_before_it(revisions: Revisions, url: URL) -> None:
    revisions.add("mixed", f"{ADD_COLUMN}\n{ADD_INDEX}")
    with pytest.raises(CommandError, match="follows an ordinary change"):
        await upgrade(revisions, url)
    assert await execute(url, HAS_COLUMN) == (False,)


async def test_one_revisions_timeouts_are_not_the_next_ones(revisions: Revisions, url: URL) -> None:
    revisions.add("careless", "op.execute('SET lock_timeout = 0')")
    revisions.add("careful", "op.execute(\"CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS value\")")
    await upgrade(revisions, url)
    assert await execute(url, "SELECT value FROM seen") == ("200ms",)


@pytest.mark.parametrize("helper", [ADD_INDEX, 'safestep.batched_backfill("posts", {"slug": "title"})'])
async def test_a_helper_leaves_the_timeouts_as_they_were(revisions: Revisions, url: URL, helper: str) -> None:
    look = "op.execute(\"CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS value\")"
    revisions.add("both", f"{helper}\n{look}")
    await upgrade(revisions, url, migration_lock_timeout=1)
    assert await execute(url, "SELECT value FROM seen") == ("1s",)


@pytest.mark.parametrize("timeout", [0, 0.0001, 61])
def test_a_lock_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(InvalidSettings, match="MIGRATION_LOCK_TIMEOUT"):
        make_settings(migration_lock_timeout=timeout)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('safestep.validate_constraint("ck_none", "posts")', "posts has no constraint 'ck_none'"),
        ('safestep.add_index_concurrently("ix_users_created_at_id", "posts", ["id"])', "there is another index"),
        ('safestep.add_index_concurrently("uq_posts_slug", "posts", ["slug"])', "there is another index"),
        ('safestep.batched_backfill("posts", {"slug": "title"}, key="key")', "posts has no column key"),
    ],
)
async def test_a_helper_says_what_is_wrong_with_its_arguments(
    revisions: Revisions, url: URL, body: str, reason: str
) -> None:
    revisions.add("wrong", body)
    with pytest.raises(CommandError, match=reason):
        await upgrade(revisions, url)


CO_AUTHORS = """
    WITH person AS (INSERT INTO users (id, name) SELECT gen_random_uuid(), n::text FROM generate_series(1, 3) AS n
                    RETURNING id),
         post AS (INSERT INTO posts (id, author_id, title, body)
                  SELECT gen_random_uuid(), id, 'title', '' FROM person RETURNING id)
    INSERT INTO co_authorships (post_id, user_id, position) SELECT post.id, person.id, 1 FROM post, person
"""
FILL_CO_AUTHORS = """
    safestep.batched_backfill(
        "co_authorships", {"position": "position + 1"}, key=["post_id", "user_id"], batch=4, pause=0.25
    )
"""


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_backfill_changes_each_row_once_and_rests_between_batches(
    revisions: Revisions, template: URL, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(Steps, "sleep", lambda _steps, seconds: rests.append(seconds))
    revisions.add("fill", FILL_CO_AUTHORS)
    async with Clone(template, driver=driver) as url:
        await execute(url, CO_AUTHORS)
        said = await upgrade(revisions, url)
        assert await execute(url, "SELECT min(position), max(position), count(*) FROM co_authorships") == (2, 2, 9)
    assert said[0] == "backfill of co_authorships: 9 of 9 rows changed"
    assert rests == [0.25, 0.25, 0]


async def test_a_backfill_without_a_terminal_says_now_and_then_how_far_it_is(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "HEARTBEAT", 0)
    revisions.add("fill", FILL_CO_AUTHORS.replace("0.25", "0"))
    await execute(url, CO_AUTHORS)
    said = await upgrade(revisions, url)
    assert said[:3] == [f"backfill of co_authorships: {seen} rows seen" for seen in (4, 8, 9)]


async def test_a_backfill_goes_on_after_a_row_that_was_locked(revisions: Revisions, url: URL) -> None:
    revisions.add("fill", FILL_CO_AUTHORS)
    await execute(url, CO_AUTHORS)
    said: list[str] = []
    last = "SELECT 1 FROM co_authorships ORDER BY post_id DESC, user_id DESC LIMIT 1 FOR UPDATE"
    async with open_transaction(url, last):
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said, migration_attempts=1000))
        await spoken(said, "attempt 2 of 1000")
        assert await execute(url, "SELECT seen, changed FROM postern_backfill") == (8, 8)
    await upgrading
    assert await execute(url, "SELECT min(position), max(position), count(*) FROM co_authorships") == (2, 2, 9)
    assert await execute(url, "SELECT to_regclass('postern_backfill') IS NULL") == (True,)


async def test_a_backfill_gives_way_before_postgresql_looks_for_a_deadlock(revisions: Revisions, url: URL) -> None:
    timeouts = "current_setting('lock_timeout') || ' < ' || current_setting('deadlock_timeout')"
    revisions.add("fill", f'safestep.batched_backfill("users", {{"name": "{timeouts}"}})')
    await execute(url, "INSERT INTO users (id, name) VALUES (gen_random_uuid(), '')")
    await upgrade(revisions, url, migration_lock_timeout=2)
    assert await execute(url, "SELECT name FROM users") == ("500ms < 1s",)


async def test_a_backfill_waits_for_replicas_that_fall_behind(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(Steps, "sleep", lambda _steps, seconds: rests.append(seconds))
    monkeypatch.setattr(backfill, "LAG", "SELECT CASE WHEN nextval('looks') < 3 THEN 65 ELSE 64 END AS mb")
    await execute(url, "CREATE SEQUENCE looks")
    revisions.add("fill", 'safestep.batched_backfill("posts", {"slug": "title"})')
    await upgrade(revisions, url)
    assert rests == [0, 1, 1]


async def test_a_backfill_gives_up_on_a_replica_that_stays_behind(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Steps, "sleep", lambda _steps, _seconds: None)
    monkeypatch.setattr(backfill, "LAG", "SELECT 65 AS mb")
    revisions.add("fill", 'safestep.batched_backfill("posts", {"slug": "title"})')
    with pytest.raises(CommandError, match="a replica stays too far behind"):
        await upgrade(revisions, url, migration_concurrent_timeout=0.1)


async def test_a_backfill_shows_a_bar_on_a_terminal(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    revisions.add("fill", FILL_CO_AUTHORS.replace("0.25", "0"))
    await execute(url, CO_AUTHORS)
    await upgrade(revisions, url)
    captured = capsys.readouterr()
    assert "backfill of co_authorships" in captured.err
    assert not captured.out
