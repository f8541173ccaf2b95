"""PostgreSQL's client programs, such as pg_dump."""

import shutil
from pathlib import Path

from alembic.util import CommandError


class ProgramMissing(CommandError):
    """A client program isn't installed; the text says what to install."""


def program_on_path(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise ProgramMissing(f"there is no {name} on the PATH: install PostgreSQL's client programs")
    return Path(found)
