"""What lint needs besides safestep's own dependencies: PostgreSQL's parser, and squawk. Nothing else needs them."""

import os
import shutil
import sysconfig
from importlib.util import find_spec

from alembic.util import CommandError


class MissingTools(CommandError):
    """Lint can't run here; the text says in one line what to install."""


def require_tools() -> None:
    """Raises MissingTools."""
    found = {"postgast": find_spec("postgast"), "squawk-cli": squawk_program()}
    if missing := [name for name, place in found.items() if place is None]:
        raise MissingTools(f"lint needs {' and '.join(missing)} beside this Python: pip install {' '.join(missing)}")


def squawk_program() -> str | None:
    """The path of squawk's program, if it is installed.

    Looks beside this interpreter first, since a virtual environment needn't be activated.
    """
    return shutil.which("squawk", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")]))
