"""Servers of a test, processes that hold one, and what is left of both."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from pgfolder import EmbeddedPostgres
from pgfolder.accounts import GROUPS
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

HOLDER = """
import signal, sys
from pathlib import Path
from pgfolder import EmbeddedPostgres

signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
with EmbeddedPostgres(Path(sys.argv[1]), options={"fsync": "off"}) as postgres:
    print(postgres.pid, flush=True)
    sys.stdin.read()
"""


def server(data_dir: Path, **options: str) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, options={"fsync": "off", **options})


def ask(postgres: EmbeddedPostgres, *statements: str, database: str = "postgres", driver: str = "psycopg") -> object:
    """The first value of the last statement's answer."""

    async def run() -> object:
        engine = create_async_engine(
            postgres.url(database, driver=driver), isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        async with engine.connect() as connection:
            for statement in statements[:-1]:
                await connection.execute(text(statement))
            return await connection.scalar(text(statements[-1]))

    return asyncio.run(run())


@contextmanager
def another_holder(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            yield process
    finally:
        process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def lives(pid: int | None) -> bool:
    try:
        return str(psutil.Process(pid).status()) != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_closed(folder: Path) -> bool:
    """Only one user gets in, or the group that root's server has for itself."""
    found = folder.stat()
    has_own_group = found.st_uid == 0 and found.st_gid in GROUPS
    return stat.S_IMODE(found.st_mode) == (0o770 if has_own_group else 0o700)


def remove(folder: Path) -> None:
    end_leftovers(folder)
    for link in folder.rglob("moved-to"):
        shutil.rmtree(link.readlink(), ignore_errors=True)
    shutil.rmtree(folder)


def end_leftovers(folder: Path) -> None:
    for file in folder.rglob("postmaster.pid"):
        with suppress(ValueError):
            end(int(file.read_text().split("\n")[0]))


def end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGQUIT)
    wait_until(lambda: not lives(pid))
