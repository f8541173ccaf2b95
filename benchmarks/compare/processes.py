"""The processes of a benchmark: on which processors they run, what they used of them, and how much memory they hold."""

import http.client
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import clock_gettime, monotonic, sleep

import psutil

from benchmarks.compare.failures import BenchmarkError

START_WITHIN = 90  # seconds
GRACE = 20  # seconds to end in
SHOWN = 1500  # characters of what a failed program said
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")  # variables; nobody's settings decide what is measured


class Server:
    """A program that serves HTTP on a free port of the loopback interface, in a folder of its own."""

    def __init__(self, name: str, command: Iterable[str], workers: int, environment: Mapping[str, str]) -> None:
        self.port = _free_port()
        self._name = name
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._log = Path(self._folder.name) / "log"
        kept = {key: os.environ[key] for key in KEPT if key in os.environ}
        values = {"port": str(self.port), "workers": str(workers)}
        with self._log.open("ab") as output:  # appended to, so that it can be emptied
            self._process = subprocess.Popen(
                [part.format_map(values) for part in command],
                env={**kept, "DATA_DIR": self._folder.name, **environment},
                cwd=self._folder.name,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the benchmark, which stops it
            )

    def wait_for(self, path: str) -> None:
        """Returns when the path answers with 200."""
        end = monotonic() + START_WITHIN
        while monotonic() < end and self._process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                if self.get(path)[0] == http.HTTPStatus.OK:
                    return
            sleep(0.05)
        raise BenchmarkError(f"{self._name} didn't start:\n{self.said()}")

    def get(self, path: str) -> tuple[int, bytes]:
        return self.send("GET", path)

    def send(self, method: str, path: str, body: str | None = None, media_type: str = "") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": media_type} if body else {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def processes(self) -> list[int]:
        return [process.pid for process in tree(self._process.pid)]

    def said(self) -> str:
        return self._log.read_text(errors="replace").strip()[-SHOWN:]

    def empty_log(self) -> None:
        """A long run would fill the disk."""
        os.truncate(self._log, 0)

    def stop(self) -> None:
        """Ends it with all its workers."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()


def tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def processor_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes since their start."""
    return sum(map(_processor_seconds, pids))


def _processor_seconds(pid: int) -> float:
    try:
        # The clock of another process, as `clock_getcpuclockid` makes it: nanoseconds, where psutil has hundredths of a
        # second.
        return clock_gettime((~pid << 3) | 2)
    except (OSError, OverflowError):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)


def processor_seconds_of_postgres(pid: int | None) -> float | None:
    """Of the server and all its backends, also those that have ended; None when the server isn't ours."""
    if pid is None:
        return None
    process = psutil.Process(pid)
    own = process.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
    return float(total)


def memory(pids: Iterable[int]) -> tuple[int, int | None]:
    """Resident bytes, and those that no other process shares where the system tells."""
    processes = [psutil.Process(pid) for pid in pids]
    resident = sum(process.memory_info().rss for process in processes)
    try:
        return resident, sum(process.memory_full_info().uss for process in processes)
    except (psutil.AccessDenied, AttributeError):
        return resident, None


def processors() -> list[int]:
    """Those that we may run on; an empty list where processes can't be pinned."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@contextmanager
def pinned(to: list[int]) -> Iterator[None]:
    """What is started in the block runs on these processors, with all its threads."""
    before = processors()
    if not (before and to):
        yield
        return
    os.sched_setaffinity(0, to)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pid: int | None, to: list[int]) -> None:
    """Moves processes that run already, such as PostgreSQL's."""
    if pid is None or not to:
        return
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            process.cpu_affinity(to)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
