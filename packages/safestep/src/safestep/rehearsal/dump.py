"""A dump of a real database, for those who have one."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.engine import URL

from safestep.rehearsal.errors import RehearsalError

ARCHIVE = b"PGDMP"


async def restore(url: URL, dump: Path, program: Callable[[str], Path]) -> None:
    """Loads what `pg_dump` wrote: an archive or folder through pg_restore, SQL through psql, found by `program`.

    Raises RehearsalError with the first complaint.
    """

    where = url.set(drivername="postgresql").render_as_string(hide_password=False)
    command: list[str | Path]
    if await asyncio.to_thread(_is_archive, dump):
        command = [program("pg_restore"), "--no-owner", "--no-privileges", "--exit-on-error", "--dbname", where, dump]
    else:
        command = [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", where, "-f", dump]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise RehearsalError(f"{dump} can't be restored: {lines[0]}")


def _is_archive(dump: Path) -> bool:
    if dump.is_dir():
        return True
    with dump.open("rb") as stream:
        return stream.read(len(ARCHIVE)) == ARCHIVE
