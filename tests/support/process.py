"""The service as a process of its own, on a real socket."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from pgfolder.processes import read_pid_file
from sqlalchemy.engine import URL

ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds; long enough for a machine that is busy with other tests
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")

POSTERN = (sys.executable, "-m", "app.cli.main", "serve", "--port", "0")
UVICORN = (sys.executable, "-m", "uvicorn", "app.main:app", "--port", "0")

# `postern serve` tells its port on standard output, uvicorn in the log.
ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)")


def environment(url: URL | None = None, **variables: str) -> dict[str, str]:
    """What the process is told: nothing that whoever runs the tests has set for their own service."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    database = {"DATABASE_URL": url.render_as_string(hide_password=False)} if url else {}
    return {**inherited, "PYTHONPATH": str(ROOT), **database, **variables}


class Service:
    """A process that serves, or tries to."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def port(self) -> int:
        """The port that it says it listens on."""
        return int(self._awaited(lambda: ADDRESS.search(self.output))[1])

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        """A connection that is kept alive, and never opened again when the server closes it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        # Plain uvicorn names its port before a worker listens there.
        self._awaited(lambda: connects(connection))
        connection.auto_open = 0
        with closing(connection):
            yield connection

    def get(self, path: str) -> int:
        """The status of one request."""
        with self.connection() as connection:
            return ask(connection, "GET", path)[0]

    def answer_to(self, request: bytes) -> tuple[int, http.client.HTTPMessage, Any]:
        """Status, headers and JSON body of the answer to any bytes; afterwards the connection is closed."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as client:
            client.sendall(request)
            response = http.client.HTTPResponse(client)
            response.begin()
            body = json.loads(response.read())
            assert client.recv(1) == b""
            return response.status, response.headers, body

    def _awaited[Value](self, find: Callable[[], Value | None]) -> Value:
        deadline = time.monotonic() + PATIENCE
        while not (found := find()):
            assert self._process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)
        return found

    def workers(self) -> list[psutil.Process]:
        """The processes below it that run Python code of ours, without Python's own resource tracker."""
        children = psutil.Process(self.pid).children(recursive=True)
        return [child for child in children if "multiprocessing.spawn" in " ".join(child.cmdline())]

    def end(self, number: signal.Signals) -> int:
        """Ends it as `kill` does, or as its terminal: Ctrl-C and the hang-up go to the whole group."""
        if number in (signal.SIGINT, signal.SIGHUP):
            os.killpg(self.pid, number)
        else:
            self._process.send_signal(number)
        return self.wait()

    def hang_up(self) -> None:
        """What the end of the terminal sends."""
        os.killpg(self.pid, signal.SIGHUP)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's events of this name, with LOG_FORMAT=json."""
        events = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        return [event for event in events if event["event"] == name]

    def wait(self) -> int:
        return self._process.wait(PATIENCE)


@contextmanager
def started(
    command: tuple[str, ...], folder: Path, variables: dict[str, str], cwd: Path | None = None
) -> Iterator[Service]:
    """Runs the command with its output in `folder`, which holds no `.env`; what is left of it is killed at the end."""
    output = folder / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=cwd or folder, env=variables, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield Service(process, output)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers too, also when they have outlived it
        process.wait()


@contextmanager
def data_folder() -> Iterator[Path]:
    """DATA_DIR for services with an embedded server, which has ended at the end."""
    folder = Path(tempfile.mkdtemp(prefix="postern-process-"))
    folder.chmod(0o755)  # root's server runs as another user, who has to enter
    yield folder
    if pid := postgres_pid(folder):
        psutil.Process(pid).kill()
    shutil.rmtree(folder)


def postgres_pid(data_dir: Path) -> int | None:
    """The embedded server's process id while it runs."""
    pid, *_ = read_pid_file(data_dir / "postgres" / "postgres")
    return pid if pid and psutil.pid_exists(pid) else None


def has_ended(process: psutil.Process) -> bool:
    """Also when nobody has asked for its exit code, as for a process that has outlived its parent."""
    try:
        return str(process.status()) == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def can_be_bound(port: int) -> bool:
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            free.bind(("127.0.0.1", port))
            return True
    return False


def until(condition: Callable[[], object]) -> None:
    """Returns once it holds, whatever has become of the process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def connects(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.connect()
    except ConnectionRefusedError:
        return False
    return True


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON body of the answer."""
    headers = {"Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())
