"""A version of the service, run as a process of its own on a port of the loopback interface."""

import asyncio
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from safestep.rehearsal.client import SUCCESS, Client
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.place import end, environment

PATIENCE = 60.0  # seconds for a start
REQUEST_TIMEOUT = 30.0
# What the user's environment says of these is meant for another service: this one sends no mail and limits nobody.
FOREIGN = ("SMTP_URL", "PUBLIC_URL", "ALLOWED_HOSTS", "REGISTRATION", "UNVERIFIED_MAY", "RATE_LIMIT_STORAGE")


@dataclass(frozen=True)
class Service:
    """`name` says which version it is; `contract` is its OpenAPI document."""

    name: str
    client: Client
    contract: dict[str, Any]


@asynccontextmanager
async def running(code: Path, name: str, url: URL, place: Path, connections: int) -> AsyncIterator[Service]:
    """The service of this code on this database. Raises RehearsalError with its last words when it doesn't start."""
    port = _free_port()
    log = place / f"{'-'.join(name.split())}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - it starts in a moment, and nothing else goes on yet
            [
                *(sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port), "--no-access-log"),
                # The generator keeps its connections: a server that closes one in this instant isn't what is tested.
                *("--timeout-keep-alive", "3600", "--no-server-header"),
            ],
            env=_environment(code, url, place),
            cwd=place,  # not the checkout, whose .env means another database
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the rehearsal, which stops this then
        )
    client = Client(port, connections, REQUEST_TIMEOUT)
    try:
        yield Service(name, client, await _contract(client, process, name, log))
    finally:
        client.close()
        end(process)


def _environment(code: Path, url: URL, place: Path) -> dict[str, str]:
    values = environment(
        code,
        ENVIRONMENT="production",
        DATABASE_URL=url.render_as_string(hide_password=False),
        SECRET_KEYS=f"rehearsal:{secrets.token_urlsafe(32)}",
        RATE_LIMITS="false",
        DATA_DIR=str(place / "data"),
        LOG_LEVEL="INFO",
    )
    return {name: text for name, text in values.items() if name not in FOREIGN}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _contract(client: Client, process: subprocess.Popen[bytes], name: str, log: Path) -> dict[str, Any]:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while process.poll() is None and asyncio.get_running_loop().time() < deadline:
        try:
            answer = await client.send("GET", "/openapi.json")
        except (OSError, EOFError):
            await asyncio.sleep(0.05)
            continue
        if answer.status in SUCCESS:
            contract: dict[str, Any] = answer.json()
            return contract
        raise RehearsalError(f"{name} answers {answer.status} to GET /openapi.json, by which requests are chosen")
    raise RehearsalError(f"{name} doesn't start: {_last_line(log)}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() or ["it says nothing"]
    return lines[-1][:300]
