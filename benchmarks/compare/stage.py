"""What a run needs besides the contenders: the cache folder, the databases and the load generator's process."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from pgfolder.locks import lock
from sqlalchemy.engine import URL

from benchmarks.compare.contenders import Contender, python_in
from benchmarks.compare.database import Databases, databases
from benchmarks.compare.environments import ROOT
from benchmarks.compare.failures import BenchmarkError
from benchmarks.compare.processes import processors
from benchmarks.compare.rows import Size

CACHE = Path(os.environ.get("BENCH_CACHE") or ROOT / ".data" / "benchmarks").absolute()


@dataclass(frozen=True)
class Stage:
    cache: Path
    databases: Databases
    generator: Executor
    _numbers: Iterator[int] = field(default_factory=count)

    def copies(self, contenders: Sequence[Contender], size: Size) -> list[tuple[Contender, URL]]:
        """A database for each service, and one for the baselines, which don't record what they change."""
        copies: list[tuple[Contender, URL]] = []
        shared: URL | None = None
        for contender in contenders:
            checkout = contender.checkout
            if checkout is None and shared is not None:
                copies.append((contender, shared))
                continue
            template = self.databases.template(python_in(checkout or ROOT), checkout or ROOT, size)
            url = self.databases.copy(template, f"copy_{next(self._numbers)}", triggers=contender.is_service)
            shared = shared if contender.is_service else url
            copies.append((contender, url))
        return copies


@contextmanager
def stage() -> Iterator[Stage]:
    """Everything is stopped at the end; a second Ctrl-C doesn't interrupt that."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_alone(CACHE))
        found = stack.enter_context(databases(CACHE, os.environ.get("BENCH_DATABASE_URL")))
        generator = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_become_generator)
        stack.callback(generator.shutdown, cancel_futures=True)
        stack.callback(_ignore_signals)
        yield Stage(CACHE, found, generator)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two runs at once would measure each other."""
    descriptor = os.open(folder / "run.lock", os.O_CREAT | os.O_RDWR)
    try:
        if not lock(descriptor, wait=False):
            raise BenchmarkError("another benchmark of this checkout is running")
        yield
    finally:
        os.close(descriptor)


def _become_generator() -> None:
    """Ctrl-C is for the main process. Processor 0 is the contender's, where there are several."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    available = processors()
    if len(available) > 1:
        os.sched_setaffinity(0, available[1:])


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
