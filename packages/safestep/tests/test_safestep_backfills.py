"""Backfills: batches, rests, replicas, and what goes wrong."""

import asyncio

import pytest
from alembic.util import CommandError
from safestep.steps import backfill, progress
from safestep.steps.execution import SafeStep
from safestep_support.databases import Clone, ask, execute, open_transaction
from safestep_support.printing import brought
from safestep_support.revisions import Revisions, upgrade
from safestep_support.samples import CO_AUTHORS, POSTS, spoken
from sqlalchemy.engine import URL

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
    monkeypatch.setattr(SafeStep, "sleep", lambda _step, seconds: rests.append(seconds))
    revisions.add("fill", FILL_CO_AUTHORS)
    async with Clone(template, driver=driver) as url:
        await execute(url, CO_AUTHORS)
        said = await upgrade(revisions, url)
        assert await execute(url, "SELECT min(position), max(position), count(*) FROM co_authorships") == (2, 2, 9)
    assert said[0] == "backfill of co_authorships: 9 of 9 rows changed"
    assert rests == [0.25, 0.25, 0]


async def test_a_backfill_rests_as_long_as_a_slow_batch_took(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(SafeStep, "sleep", lambda _step, seconds: rests.append(seconds))
    ask(url, POSTS.format(3))
    slow = '{"body": "pg_sleep(0.15)::text"}'
    revisions.add("slow", f'safestep.batched_backfill("posts", {slow}, batch=2, pause=0.01)')
    await upgrade(revisions, url)
    assert 0.3 < rests[0] < 5
    assert rests[1] == 0


async def test_a_backfill_without_a_terminal_says_now_and_then_how_far_it_is(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0)
    revisions.add("fill", FILL_CO_AUTHORS.replace("0.25", "0"))
    await execute(url, CO_AUTHORS)
    said = await upgrade(revisions, url)
    assert said[:3] == [f"backfill of co_authorships: {seen} rows seen" for seen in (4, 8, 9)]


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


async def test_a_backfill_goes_on_after_a_row_that_was_locked(revisions: Revisions, url: URL) -> None:
    revisions.add("fill", FILL_CO_AUTHORS)
    await execute(url, CO_AUTHORS)
    said: list[str] = []
    last = "SELECT 1 FROM co_authorships ORDER BY post_id DESC, user_id DESC LIMIT 1 FOR UPDATE"
    async with open_transaction(url, last):
        upgrading = asyncio.create_task(upgrade(revisions, url, said=said, attempts=1000))
        await spoken(said, "attempt 2 of 1000")
        assert await execute(url, "SELECT seen, changed FROM safestep_backfill") == (8, 8)
    await upgrading
    assert await execute(url, "SELECT min(position), max(position), count(*) FROM co_authorships") == (2, 2, 9)
    assert await execute(url, "SELECT to_regclass('safestep_backfill') IS NULL") == (True,)


async def test_a_backfill_gives_way_before_postgresql_looks_for_a_deadlock(revisions: Revisions, url: URL) -> None:
    timeouts = "current_setting('lock_timeout') || ' < ' || current_setting('deadlock_timeout')"
    revisions.add("fill", f'safestep.batched_backfill("users", {{"name": "{timeouts}"}})')
    await execute(url, "INSERT INTO users (id, name) VALUES (gen_random_uuid(), '')")
    await upgrade(revisions, url, lock_timeout=2)
    assert await execute(url, "SELECT name FROM users") == ("500ms < 1s",)


async def test_a_backfill_waits_for_replicas_that_fall_behind(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(SafeStep, "sleep", lambda _step, seconds: rests.append(seconds))
    monkeypatch.setattr(backfill, "LAG", "SELECT CASE WHEN nextval('looks') < 3 THEN 65 ELSE 64 END AS mb")
    await execute(url, "CREATE SEQUENCE looks")
    revisions.add("fill", 'safestep.batched_backfill("posts", {"slug": "title"})')
    await upgrade(revisions, url)
    assert rests == [0, 1, 1]


async def test_a_backfill_gives_up_on_a_replica_that_stays_behind(
    revisions: Revisions, url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SafeStep, "sleep", lambda _step, _seconds: None)
    monkeypatch.setattr(backfill, "LAG", "SELECT 65 AS mb")
    revisions.add("fill", 'safestep.batched_backfill("posts", {"slug": "title"})')
    with pytest.raises(CommandError, match="a replica stays too far behind"):
        await upgrade(revisions, url, concurrent_timeout=0.1)


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
