"""`postern db rehearse` refuses what it can't or mustn't do: one line, exit code 2, before anything is started."""

import asyncio
from pathlib import Path

import pytest
from safestep.migrations import commands as migrations
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from app.cli.main import app
from tests.support.rehearsals import finish, rehearse, start
from tests.support.server import Clone

MINE = "postgresql+asyncpg://postern:secret@db.example.com/postern"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--url", MINE), "--url is DATABASE_URL"),
        (("--url", "postgresql+psycopg://other@db.example.com:5432/postern"), "--url is DATABASE_URL"),
        (("--url", "mysql://localhost/postern"), "--url: "),
        (("--code", "checkout"), "needs --from"),
        (("--code", "checkout", "--from", "nonsense"), "nonsense"),
        (("--base", "nonsense"), "--base"),
        (("--plot", "out.gif"), ".svg or .png"),
    ],
)
def test_it_refuses_in_one_line(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    revision = ("--code", "checkout", "--from", "3c32f22b34d4") if arguments[0] in ("--url", "--plot") else ()

    outcome = rehearse(migrations.ROOT, tmp_path, *revision, *arguments, DATABASE_URL=MINE)

    assert outcome.code == 2
    assert reason in outcome.errors
    assert len(outcome.errors.splitlines()) == 1
    assert "secret" not in outcome.errors


def test_a_copy_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    arguments = (
        "--code",
        "checkout",
        "--from",
        "3c32f22b34d4",
        "--url",
        "postgresql+asyncpg://nobody@127.0.0.1:1/none",
    )

    outcome = rehearse(migrations.ROOT, tmp_path, *arguments)

    assert outcome.code == 2
    assert outcome.errors.splitlines()[-1].startswith("postern: can't reach 3c32f22b34d4")


async def test_a_copy_that_is_past_the_deployed_revision_is_not_passed_for_rehearsed(
    tmp_path: Path, template: URL
) -> None:
    async with Clone(template) as url:
        where = url.render_as_string(hide_password=False)
        arguments = ("--code", "checkout", "--from", "43202b95414a", "--url", where)
        outcome = await asyncio.to_thread(finish, start(migrations.ROOT, tmp_path, *arguments))

    assert outcome.code == 2
    newest = migrations.heads()[0]
    assert outcome.errors.splitlines()[-1] == (
        f"postern: the database stands on {newest} already, past 43202b95414a: name {newest} with --from"
    )


def test_its_options_are_explained() -> None:
    assert "--max-stall" in CliRunner().invoke(app, ["db", "rehearse", "--help"], env={"COLUMNS": "200"}).output
