"""What a rehearsal needs around it, each for the length of a `with` block: folders, a database, the deployed code."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from safestep.rehearsal.plan import git

# Near production: what is committed is on the disk (fsync stays on), so that a rewrite costs what it costs there.
# The write-ahead log gets room, for a checkpoint in the middle would be the fill's doing and not the migration's.
# An index is built by one process: here the service lives on the same processors, and would starve beside three.
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


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder that PostgreSQL's account may pass through, for root's server runs as somebody else."""
    path = Path(tempfile.mkdtemp(prefix="postern-rehearsal-"))
    try:
        path.chmod(0o711)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def scratch_database(place: Path) -> Iterator[URL]:
    """An empty database on a PostgreSQL of its own."""
    from pgfolder import EmbeddedPostgres
    from pgfolder.folders import LINK

    data = place / "postgres"
    try:
        with EmbeddedPostgres(data, options=SETTINGS) as server:
            server.ensure_database("rehearsal")
            yield make_url(server.url("rehearsal"))
    finally:
        if (link := data / LINK).is_symlink():  # the server's account couldn't enter the temporary folder
            shutil.rmtree(link.readlink(), ignore_errors=True)


@contextmanager
def checked_out(root: Path, commit: str, place: Path) -> Iterator[Path]:
    """The code of a commit, in a folder of its own."""
    path = place / "deployed"
    git(root, "worktree", "add", "--detach", "--quiet", str(path), commit)
    try:
        yield path
    finally:
        git(root, "worktree", "remove", "--force", str(path))


def environment(code: Path, **values: str) -> dict[str, str]:
    """The user's environment, in which this code's `app` is imported and nobody's else."""
    return {**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1", **values}


def end(process: subprocess.Popen[bytes], patience: float = 10.0) -> None:
    """Stops a process of ours, by force when it doesn't go."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
