"""What a rehearsal that was killed left behind, and the next one clears away: processes, folders, worktrees."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.plan import git

PREFIX = "safestep-rehearsal-"
OWNER = "owner"
PROCESSES = "processes"
PATIENCE = 10.0  # seconds for a killed server to be gone


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Marks the folder as in use for as long as this process lives: the lock goes with it, however it ends.

    It is a lock of the process, not of the open file: a child that is being started doesn't keep it.
    """
    import fcntl  # Windows has none, and may import this module

    with (folder / OWNER).open("w") as owner:
        fcntl.lockf(owner, fcntl.LOCK_EX)
        yield


def note_process(folder: Path, pid: int) -> None:
    """Writes down a process of the rehearsal, with when it started: its number may be another's later."""
    (folder / PROCESSES).mkdir(exist_ok=True)
    (folder / PROCESSES / str(pid)).write_text(_started(pid))


def clear(root: Path) -> None:
    """Ends and removes what rehearsals left whose own process is gone; `root` is the project's folder."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_abandoned(folder):
            _end_processes(folder)
            _end_server(folder)
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(RehearsalError):  # nothing was checked out where there is no repository
                git(root, "worktree", "prune")


def _is_abandoned(folder: Path) -> bool:
    """A folder of another account, or one that isn't marked yet, isn't."""
    import fcntl

    try:
        with (folder / OWNER).open("r+") as owner:
            fcntl.lockf(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return folder.stat().st_uid == os.geteuid()


def _end_processes(folder: Path) -> None:
    for note in (folder / PROCESSES).glob("*"):
        pid = int(note.name)
        if (started := note.read_text()) and started == _started(pid):
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _end_server(folder: Path) -> None:
    """By the pid in PostgreSQL's own file, as long as that process serves this folder."""
    for file in folder.rglob("postmaster.pid"):
        pid = int(file.read_text().splitlines()[0])
        if str(folder) not in _command(pid):
            continue
        os.kill(pid, signal.SIGQUIT)
        deadline = monotonic() + PATIENCE
        while _started(pid) and monotonic() < deadline:
            sleep(0.05)


def _started(pid: int) -> str:
    """When the process started; empty when there is none."""
    return _asked("lstart=", pid)


def _command(pid: int) -> str:
    return _asked("args=", pid)


def _asked(column: str, pid: int) -> str:
    ps = shutil.which("ps") or "/bin/ps"
    done = subprocess.run([ps, "-ww", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()
