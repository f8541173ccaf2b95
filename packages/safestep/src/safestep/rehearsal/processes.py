"""The processes of a rehearsal: versions of the service, and the migration. Each imports the code of one version."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.engine import URL

from safestep.rehearsal.configuration import Command, ServiceProfile
from safestep.rehearsal.leftovers import note_process

LOWEST_PRIORITY = 19  # the highest niceness
GRACE = 10.0  # seconds to end in


def values_of(url: URL, folder: Path, **more: str) -> dict[str, str]:
    """What the names in a command stand for."""
    return {
        "python": sys.executable,
        "database": url.render_as_string(hide_password=False),
        "folder": str(folder),
        **more,
    }


def environment(command: Command, profile: ServiceProfile, code: Path, values: Mapping[str, str]) -> dict[str, str]:
    """The user's environment with the command's own, in which this code's modules are imported and nobody else's."""
    folders = [
        str(path)
        for pattern in profile.import_path
        for path in sorted(code.glob(pattern) if pattern != "." else [code])
    ]
    kept = {name: text for name, text in os.environ.items() if name not in command.unset}
    own = {"PYTHONPATH": os.pathsep.join(folders), "PYTHONDONTWRITEBYTECODE": "1"}
    return kept | own | command.environment_with(values)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stops a process of ours, by force when it doesn't go."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def migrate(profile: ServiceProfile, code: Path, url: URL, revision: str, folder: Path) -> tuple[int, str]:
    """Runs the migration of this code; returns its exit code and what it said."""
    values = values_of(url, folder, revision=revision)
    process = await asyncio.create_subprocess_exec(
        *profile.migrate.arguments_with(values),
        env=environment(profile.migrate, profile, code, values),
        cwd=code,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    note_process(folder, process.pid)
    try:
        # In a release it runs on another machine than the service: its start mustn't take the service's processor.
        os.setpriority(os.PRIO_PROCESS, process.pid, LOWEST_PRIORITY)
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")
