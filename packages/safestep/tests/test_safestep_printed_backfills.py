"""Backfills that `--sql` prints."""

import asyncio
import re

import pytest
from safestep.steps import backfill
from safestep_support.databases import Clone, ask, open_transaction, until
from safestep_support.printing import brought, pipe, printed
from safestep_support.revisions import Revisions, upgrade
from safestep_support.samples import CO_AUTHORS, POSTS, VERSION
from sqlalchemy.engine import URL

# Not idempotent on purpose: a row that is changed twice shows.
FILLS = """
    safestep.batched_backfill("co_authorships", {"position": "position + 1"}, key=["post_id", "user_id"], batch=4)
    safestep.batched_backfill("posts", {"body": "body || '$'"}, where="title <> '2'", batch=2, pause=0)
"""


FILLED = """
    SELECT (SELECT array_agg(position) FROM co_authorships), (SELECT array_agg(body ORDER BY title) FROM posts),
           to_regclass('safestep_backfill'), (SELECT version_num FROM alembic_version)
"""


PSQL = "application_name = 'psql' AND datname = current_database()"


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
        await until(url, "SELECT coalesce(max(seen), 0) = 8 FROM safestep_backfill")
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
    await until(url, "SELECT coalesce(sum(seen), 0) BETWEEN 2 AND 8 FROM safestep_backfill")
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
    done = await pipe(await printed(revisions, url, capsys, statement_timeout=0.2), url)
    assert not done.returncode, done.stderr


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
