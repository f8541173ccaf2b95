"""How a run is wanted: its phase, the consent to a loss of data, its timeouts."""

import asyncio
from argparse import Namespace
from contextlib import nullcontext
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import pytest
from alembic import command
from alembic.util import CommandError
from safestep.cli import make_app
from safestep.cli.database import ask_for_consent
from safestep.migrations import commands
from safestep.migrations.plan import Phase
from safestep_support.databases import execute
from safestep_support.revisions import Revisions, upgrade
from safestep_support.samples import ADD_COLUMN, ADD_INDEX, HAS_COLUMN, READ
from sqlalchemy.engine import URL
from typer.testing import CliRunner, Result


async def test_the_plain_alembic_command_takes_the_phase_and_the_yes(revisions: Revisions, url: URL) -> None:
    revisions.add("away", "pass", marks='phase = "contract"\ndestructive = True')
    project = replace(revisions.project, confirm_data_loss=lambda: True)

    def alembic(*options: str) -> str:
        config = commands.config(project, url)
        config.stdout = StringIO()
        config.cmd_opts = Namespace(x=list(options))
        command.upgrade(config, "head")
        return config.stdout.getvalue()

    said = await asyncio.to_thread(alembic, "phase=expand")
    assert said.startswith("nothing to do\nstopped before away")
    with pytest.raises(CommandError, match="-x phase=expand"):
        await asyncio.to_thread(alembic, "phase=shrink")
    with pytest.raises(CommandError, match="-x yes"):
        await asyncio.to_thread(alembic)
    assert (await asyncio.to_thread(alembic, "yes")).startswith("away (contract)")


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
        await upgrade(revisions, url, confirm_data_loss=True)
    assert (await upgrade(revisions, url))[0].startswith("away")


async def test_a_downgrade_in_production_needs_a_yes_on_the_command_line(revisions: Revisions, url: URL) -> None:
    project = replace(revisions.project, database=lambda: nullcontext(url), confirm_data_loss=lambda: True)

    def downgrade(*arguments: str) -> Result:
        return CliRunner().invoke(make_app(project), ["downgrade", *arguments, "base"])

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
    assert ask_for_consent(yes=False)("This drops posts")
    assert asked == ["This drops posts. Go on?"]


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


@pytest.mark.parametrize("step", [ADD_INDEX, 'safestep.batched_backfill("posts", {"slug": "title"})'])
async def test_a_safe_step_leaves_the_timeouts_as_they_were(revisions: Revisions, url: URL, step: str) -> None:
    look = "op.execute(\"CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS value\")"
    revisions.add("both", f"{step}\n{look}")
    await upgrade(revisions, url, lock_timeout=1)
    assert await execute(url, "SELECT value FROM seen") == ("1s",)
