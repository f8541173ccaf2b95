"""Programs of the distribution, on free ports, ended at the end of the block."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

_HAPROXY = """
global
    maxconn 2000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout check 5s  # a machine that is busy with other tests is no instance that has gone
    option redispatch
frontend public
    bind 127.0.0.1:{port}
    default_backend service
backend service
    option httpchk
    http-check send meth GET uri /health/ready ver HTTP/1.1 hdr Host service
    default-server check inter 200ms fall 2 rise 1
{servers}
"""


def program(name: str) -> str:
    """Its path; skips the test where it isn't installed."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        pytest.skip(f"{name} isn't installed (the distribution has it)")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def haproxy(folder: Path, ports: Sequence[int]) -> Iterator[int]:
    """A balancer in front of these ports, which asks each five times a second whether it is ready; its port."""
    command, port = program("haproxy"), free_port()
    servers = "\n".join(f"    server service{each} 127.0.0.1:{each}" for each in ports)
    file = folder / "haproxy.cfg"
    file.write_text(_HAPROXY.format(port=port, servers=servers))
    process = subprocess.Popen([command, "-db", "-q", "-f", file])
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


_PGBOUNCER = """
[databases]
* = host={host} port={server_port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits, options
"""


@contextmanager
def pgbouncer(url: URL, *, connections: int) -> Iterator[URL]:
    """PgBouncer in transaction mode in front of the URL's server; the URL that leads through it, for psycopg."""
    command, port = program("pgbouncer"), free_port()
    host = str(url.query["host"])  # the folder of its socket
    folder = Path(tempfile.mkdtemp(prefix="postern-pgbouncer-"))
    folder.chmod(0o755)  # it refuses to run as root, so another user has to enter
    file = folder / "pgbouncer.ini"
    file.write_text(
        _PGBOUNCER.format(
            host=host, server_port=url.query["port"], user=url.username, port=port, connections=connections
        )
    )
    # As the one who may reach the server's socket.
    other = {"user": "nobody", "group": Path(host).stat().st_gid, "extra_groups": []} if os.getuid() == 0 else {}
    process = subprocess.Popen([command, "-q", file], **other)
    try:
        _await_port(port, process)
        yield url.set(drivername="postgresql+psycopg", host="127.0.0.1", port=port, query={})
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"{process.args!r} doesn't listen")
