"""Programs of the distribution: HAProxy, with a free port, ended at the end of the block."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_HAPROXY = """
global
    maxconn 2000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option redispatch
frontend public
    bind 127.0.0.1:{port}
    default_backend service
backend service
    option httpchk
    http-check send meth GET uri /health/ready ver HTTP/1.1 hdr Host service
    default-server check inter 200ms fall 1 rise 1
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
