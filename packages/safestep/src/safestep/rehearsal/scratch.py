"""What a rehearsal needs around it, each for the length of a `with` block: folders, a database, the deployed code."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL

from safestep.connections import execute
from safestep.project import Project
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.leftovers import PREFIX, owned
from safestep.rehearsal.plan import git

# Near production: what is committed is on the disk (fsync stays on), so that a rewrite costs what it costs there.
# The write-ahead log gets room: a checkpoint in the middle would come from filling the tables, not from the migration.
# An index is built by one process: the service runs on the same processors here, and three would leave it none.
SETTINGS = {
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "max_connections": "120",
    "max_parallel_maintenance_workers": "0",
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_rotation_size": "0",
    "log_rotation_age": "0",
}
DATABASE = "rehearsal"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that other accounts may pass through: the server of a root user runs as somebody else."""
    path = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        path.chmod(0o711)
        with owned(path):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def scratch_database(project: Project, folder: Path) -> Iterator[URL]:
    """An empty database on a PostgreSQL of its own, whose role may do everything.

    Raises RehearsalError when the project has no such server.
    """
    if project.scratch_server is None:
        raise RehearsalError("there is no scratch server here: name a copy of the database with --url")
    with project.scratch_server(folder / "postgres", SETTINGS) as server:
        asyncio.run(execute(server, f"CREATE DATABASE {DATABASE}"))
        yield server.set(database=DATABASE)


@contextmanager
def checked_out(root: Path, commit: str, folder: Path) -> Iterator[Path]:
    """The code of a commit in a folder of its own, which may be a part of what is checked out."""
    path = folder / "deployed"
    inside = git(root, "rev-parse", "--show-prefix")
    git(root, "worktree", "add", "--detach", "--quiet", str(path), commit)
    try:
        yield path / inside
    finally:
        git(root, "worktree", "remove", "--force", str(path))
