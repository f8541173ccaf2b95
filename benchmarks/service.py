"""The service in a process of its own, on a free loopback port and a database in a temporary folder."""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, perf_counter, sleep
from urllib.parse import urlencode

import psycopg
from argon2 import PasswordHasher
from pgfolder import EmbeddedPostgres
from safestep.migrations import commands as migrations
from sqlalchemy.engine import URL, make_url

from app.core.config import load_settings
from app.db.migrations import project

ROOT = Path(__file__).parent.parent
PASSWORD = "a quiet green harbour"  # noqa: S105 - of accounts that live as long as the measurement
START_WITHIN = 120


class Connection:
    """One keep-alive connection; every request is timed."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self._http.connect()
        self._http.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def time(self, method: str, path: str, body: str | None, media_type: str, *, expected: int) -> float:
        """Seconds from the first byte of the request to the last of the answer; SystemExit when it isn't expected."""
        started = perf_counter()
        self._http.request(method, path, body, {"Content-Type": media_type} if body else {})
        response = self._http.getresponse()
        answer = response.read()
        took = perf_counter() - started
        if response.status != expected:
            raise SystemExit(f"{method} {path} answered {response.status}: {answer.decode()}")
        return took

    def sign_in(self, email: str, password: str, *, expected: int) -> float:
        form = urlencode({"username": email, "password": password})
        return self.time("POST", "/api/v1/auth/token", form, "application/x-www-form-urlencoded", expected=expected)

    def reset(self, email: str) -> float:
        return self.time(
            "POST", "/api/v1/auth/password/reset", json.dumps({"email": email}), "application/json", expected=202
        )

    def posts(self) -> float:
        return self.time("GET", "/api/v1/posts", None, "", expected=200)


@contextmanager
def service(accounts: int) -> Iterator[int]:
    """The service's port while the block runs. The addresses `user0@example.com` … have accounts with PASSWORD, and so
    have `weak0@example.com` …, hashed when half of the memory was enough.

    Rate limits are off: they would be all that is measured.
    """
    with (
        tempfile.TemporaryDirectory(prefix="postern-benchmark-") as name,
        EmbeddedPostgres(Path(name) / "postgres") as server,
    ):
        server.ensure_database("postern")
        url = make_url(server.url())
        migrations.upgrade(project, url)
        _fill(url, accounts)
        port = _free_port()
        log = Path(name) / "log"
        process = _start(url, port, log)
        try:
            _await(process, port, log)
            yield port
        finally:
            process.terminate()
            process.wait(60)


def _start(url: URL, port: int, log: Path) -> subprocess.Popen[bytes]:
    settings = {
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "DATA_DIR": str(log.parent),
        "PYTHONPATH": str(ROOT),
        "RATE_LIMITS": "false",
    }
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    command = [sys.executable, "-m", "app.cli.main", "serve", "--port", str(port)]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=log.parent, env=kept | settings, stdout=output, stderr=output)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = monotonic() + START_WITHIN
    while monotonic() < end and process.poll() is None:
        try:
            Connection(port).posts()
        except OSError:
            sleep(0.1)
        else:
            return
    raise SystemExit(f"The service didn't start:\n{log.read_text()}")


def _fill(url: URL, accounts: int) -> None:
    settings = load_settings(_env_file=None)
    time_cost, memory_kib = settings.password_time_cost, settings.password_memory_kib
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        for name, memory in (("user", memory_kib), ("weak", memory_kib // 2)):
            connection.execute(
                "INSERT INTO users (id, email, password_hash, email_verified_at) "
                "SELECT gen_random_uuid(), %s || n || '@example.com', %s, now() FROM generate_series(0, %s) n",
                [name, PasswordHasher(time_cost, memory, parallelism=1).hash(PASSWORD), accounts - 1],
            )
        connection.execute(
            "INSERT INTO posts (id, author_id, title, body, slug, published_at) "
            "SELECT gen_random_uuid(), id, 'A title', repeat('Some text. ', 50), id::text, now() FROM users"
        )
