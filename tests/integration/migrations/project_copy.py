"""A copy of the application's migrations, for tests that write revisions."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.laws import ROOT

PROGRAMS = Path(sys.executable).parent


def copy_migrations(folder: Path) -> Path:
    """The folder, with the migrations and what Alembic and ruff are told about them."""
    shutil.copytree(ROOT / "alembic", folder / "alembic", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("alembic.ini", "pyproject.toml"):
        shutil.copy(ROOT / file, folder)
    return folder


def assert_formatted(revision: Path) -> None:
    for command in (["format", "--check"], ["check", "--select", "I,F,E"]):
        done = subprocess.run([PROGRAMS / "ruff", *command, revision], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
