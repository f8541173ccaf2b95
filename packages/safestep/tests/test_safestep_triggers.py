"""Triggers on tables in use."""

import asyncio

import pytest
from safestep_support.databases import ask
from safestep_support.printing import pipe, printed
from safestep_support.revisions import KILLED, Revisions, upgrade
from safestep_support.samples import VERSION
from sqlalchemy.engine import URL

STEPS = "\n".join(
    f'safestep.add_trigger("{name}", "posts", "CREATE TRIGGER {name} BEFORE UPDATE ON posts '
    'FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()")'
    for name in ("first", "second")
)
TRIGGERS = "SELECT tgname::text FROM pg_trigger WHERE tgrelid = 'posts'::regclass AND NOT tgisinternal ORDER BY 1"


async def test_a_trigger_that_is_there_already_is_taken_for_done(revisions: Revisions, live_url: URL) -> None:
    first, _ = STEPS.splitlines()
    revisions.add("first", first)
    await upgrade(revisions, live_url)
    revisions.add("both", STEPS)
    await upgrade(revisions, live_url)
    assert ask(live_url, TRIGGERS) == [("first",), ("second",)]


async def test_triggers_that_were_created_before_a_kill_are_no_obstacle(revisions: Revisions, url: URL) -> None:
    revisions.add("both", STEPS)
    process = revisions.upgrade_in_process(url, die_before=0)
    await asyncio.to_thread(process.join)
    assert process.exitcode == KILLED
    await upgrade(revisions, url)
    assert ask(url, VERSION) == [("both",)]
    assert ask(url, TRIGGERS) == [("first",), ("second",)]


async def test_triggers_are_printed(revisions: Revisions, url: URL, capsys: pytest.CaptureFixture[str]) -> None:
    revisions.add("both", STEPS)
    done = await pipe(await printed(revisions, url, capsys), url)
    assert not done.returncode, done.stderr
    assert ask(url, TRIGGERS) == [("first",), ("second",)]
