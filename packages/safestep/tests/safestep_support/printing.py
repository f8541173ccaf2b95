"""What `--sql` prints of a project's revisions, and what psql makes of it."""

import asyncio
import subprocess
from typing import Any

import pytest
from pgfolder import binary
from safestep.migrations import commands
from safestep.migrations.plan import Phase
from safestep.migrations.runner import RunOptions
from sqlalchemy.engine import URL

from safestep_support.databases import plain
from safestep_support.revisions import Revisions, upgrade


async def printed(
    revisions: Revisions,
    url: URL,
    capsys: pytest.CaptureFixture[str],
    *,
    until: Phase = Phase.CONTRACT,
    **limits: Any,
) -> str:
    project = revisions.limited(**limits)
    await asyncio.to_thread(commands.print_upgrade, project, url, "head", RunOptions(until))
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
