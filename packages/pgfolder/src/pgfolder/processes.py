"""What the operating system and `postmaster.pid` say about the processes of PostgreSQL."""

import os
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

SOCKET = ".s.PGSQL.5432"


def read_pid_file(cluster: Path) -> tuple[int | None, str, str]:
    """Process id, data folder and status; no id when the file is missing or cut short."""
    try:
        text = (cluster / "postmaster.pid").read_text(errors="surrogateescape")
        pid, folder, *rest = text.splitlines()
        return int(pid), folder, "".join(rest[5:]).strip() or "starting"
    except (FileNotFoundError, ValueError):
        return None, "", ""


def exists(pid: int) -> bool:
    """True for a zombie too, as PostgreSQL sees it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command_line(pid: int) -> str:
    """Empty when there is no such process, or only its zombie."""
    if Path("/proc/self/cmdline").exists():
        with suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def answers(socket_dir: Path) -> bool:
    """Whether a server accepts connections on the socket in this folder."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(socket_dir / SOCKET))
        except OSError:
            return False
    return True
