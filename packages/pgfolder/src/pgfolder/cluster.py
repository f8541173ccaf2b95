"""One PostgreSQL cluster on disk and the server that runs it, driven through `initdb` and `pg_ctl`.

Nothing here is safe against another process doing the same: `server.py` holds the locks.
"""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from pgfolder.accounts import Account, run
from pgfolder.errors import EmbeddedPostgresError
from pgfolder.folders import make_private_folder, open_own_file, short_hash
from pgfolder.processes import SOCKET, answers, command_line, exists, read_pid_file
from pgfolder.programs import installed_version, package_folder, programs_for

TIMEOUT = 30  # seconds for a start (crash recovery included) or a fast stop
SOCKET_PATH_LIMIT = 103  # bytes; macOS allows the fewest

TEMPORARY = Path("/tmp")  # noqa: S108 - short everywhere, and the folder made in it is checked to be ours

type StopMode = Literal["fast", "immediate"]


class Server(NamedTuple):
    """What `postmaster.pid` says of a living server."""

    pid: int
    socket_dir: Path
    status: str  # starting, ready, stopping


class Cluster:
    """The folder `postgres` below `home`, and beside it the server's log and socket."""

    def __init__(self, home: Path, account: Account | None, options: Mapping[str, str]) -> None:
        self._home = home
        self._folder = home / "postgres"
        self._log = home / "server.log"
        self._account = account
        self._options = options
        self._programs = programs_for(package_folder(), installed_version(), account)

    def server(self) -> Server | None:
        """The living server of this very folder; None for the remains of a dead one."""
        pid, folder, status = read_pid_file(self._folder)
        if pid is None or folder != str(self._folder):
            return None
        socket_dir = self._socket_dir()
        if f"-cunix_socket_directories={socket_dir}" not in command_line(pid).split():
            return None
        return Server(pid, socket_dir, status)

    def bring_up(self) -> None:
        """Join the server when it runs, else create what is missing and start it."""
        server = self._await_ready()
        if server and (server.status == "stopping" or not answers(server.socket_dir)):
            self.halt("fast")
            server = None
        if server is None:
            self._refuse_unseen_server()
            self._create()
            self.launch()

    def launch(self) -> None:
        """Start the server and wait until it accepts connections."""
        self._drop_stale_files()
        socket_dir = make_private_folder(self._socket_dir(), self._account)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(socket_dir),
            "unix_socket_permissions": "0700",
            "port": "5432",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if self._account and self._account.shared:
            settings["dynamic_shared_memory_type"] = "mmap"  # in the data folder; /dev/shm goes by the user alone
        options = shlex.join(f"-c{name}={value}" for name, value in {**self._options, **settings}.items())
        deadline = time.monotonic() + TIMEOUT
        while reason := self._try_launch(options):
            # Sessions of a killed server take a moment to notice; PostgreSQL rightly waits for the last.
            if "pre-existing shared memory block" not in reason or time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL does not start: {reason} (log: {self._log})")
            time.sleep(0.05)

    def halt(self, mode: StopMode) -> None:
        """Stop the running server; one that ignores a fast stop loses its memory but not its data."""
        for step in dict.fromkeys([mode, "immediate"]):
            done = self._pg_ctl("stop", "-m", step)
            if done.returncode == 0 or self.server() is None:
                with suppress(OSError):
                    self._socket_dir().rmdir()
                return
        raise EmbeddedPostgresError(f"PostgreSQL does not stop: {_last_lines(done.stderr)} (log: {self._log})")

    def psql(self, script: str, **variables: str) -> None:
        """Run a script in the database `postgres`, with psql's variables for what has to be quoted."""
        server = self.server()
        if server is None:
            raise EmbeddedPostgresError(f"the PostgreSQL in {self._home} does not run")
        login = ["-X", "-q", "-h", str(server.socket_dir), "-p", "5432", "-U", "postgres", "-d", "postgres"]
        settings = [f"--set={name}={value}" for name, value in {"ON_ERROR_STOP": "1", **variables}.items()]
        done = run([self._programs / "psql", *login, *settings], self._account, stdin=script)
        if done.returncode:
            raise EmbeddedPostgresError(f"PostgreSQL refuses: {_last_lines(done.stderr)}")

    def _await_ready(self) -> Server | None:
        """Follow a start that a killed process has left to itself; None when that server gives up."""
        deadline = time.monotonic() + TIMEOUT
        while (server := self.server()) and server.status == "starting":
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL still recovers, try again later (log: {self._log})")
            time.sleep(0.02)
        return server

    def _refuse_unseen_server(self) -> None:
        """Two servers would destroy the data, and PostgreSQL cannot see one in another container."""
        if not self._folder.exists():
            return
        self._check_version()  # the socket's folder can be named after that file
        if answers(self._socket_dir()):
            raise EmbeddedPostgresError(
                f"{self._home} is in use by a PostgreSQL in another container: stop that one first"
            )

    def _create(self) -> None:
        """Make sure of a whole cluster of our version; it appears by a rename, never half done."""
        for draft in self._home.glob("postgres.new-*"):
            shutil.rmtree(draft, ignore_errors=True)
        if not self._folder.exists():
            draft = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self._home))
            if self._account:
                os.chown(draft, self._account.uid, self._account.gid)
            self._initdb(draft)
            draft.rename(self._folder)
        self._check_version()

    def _initdb(self, draft: Path) -> None:
        # The builtin provider is the same on every system and needs none of its locales.
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        # Kept data is synced before the rename: a power cut must not leave empty files under the final name.
        sync = ["--no-sync"] if self._options.get("fsync") == "off" else []
        program = self._programs / "initdb"
        command: list[str | Path] = [program, "--username=postgres", "--auth=trust", *locale, *sync, draft]
        # TZ spares initdb the search for the system's time zone.
        done = run(command, self._account, cwd=self._home, env={"TZ": "UTC"})
        if done.returncode:
            raise EmbeddedPostgresError(f"cannot create a database in {self._home}: {_last_lines(done.stderr)}")

    def _check_version(self) -> None:
        ours = installed_version().partition(".")[0]
        marker = self._folder / "PG_VERSION"
        theirs = marker.read_text().strip() if marker.exists() else "(unknown)"
        if theirs != ours:
            raise EmbeddedPostgresError(
                f"{self._folder} holds data of PostgreSQL {theirs}, installed is PostgreSQL {ours}: "
                "delete the folder for an empty database, or dump the data with the other version first"
            )

    def _try_launch(self, options: str) -> str:
        """Empty when the server runs, else why it does not."""
        with suppress(FileNotFoundError):
            self._log.replace(self._log.with_suffix(".log.1"))
        os.close(open_own_file(self._log, self._account))
        done = self._pg_ctl("start", "-l", self._log.name, "-o", options)
        if done.returncode == 0:
            return ""
        return _last_lines(self._log.read_text(errors="replace") or done.stderr)

    def _pg_ctl(self, action: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # PGDATA and a relative log file: what follows -D and -l goes through a shell, "$" in a path included.
        command: list[str | Path] = [self._programs / "pg_ctl", action, "-s", "-t", str(TIMEOUT), *arguments]
        return run(command, self._account, cwd=self._home, env={"PGDATA": str(self._folder)})

    def _drop_stale_files(self) -> None:
        """Remove what a dead server left and PostgreSQL would trust: cut short, or its number is a process again.

        A pid file that names no process stays: PostgreSQL looks there for sessions that outlived their server.
        """
        if self.server():
            return
        (self._socket_dir() / f"{SOCKET}.lock").unlink(missing_ok=True)
        pid = read_pid_file(self._folder)[0]
        if pid is None or exists(pid):
            (self._folder / "postmaster.pid").unlink(missing_ok=True)

    def _socket_dir(self) -> Path:
        """Beside the cluster, unless that path is too long for a socket or means something in an address."""
        beside = self._home / "socket"
        plain = re.fullmatch(r"[\w./-]+", str(beside), re.ASCII)
        if plain and len(os.fsencode(beside / SOCKET)) <= SOCKET_PATH_LIMIT:
            return beside
        born = (self._folder / "PG_VERSION").stat().st_mtime_ns  # new data at the same path: a new folder
        return TEMPORARY / f"pgfolder-{short_hash(f'{self._folder} {born}')}"


def _last_lines(text: str) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-4:]) or "no message"
