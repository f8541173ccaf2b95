"""A version of the service, run as a process of its own on a port of the loopback interface."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL

from safestep.rehearsal.configuration import ServiceProfile
from safestep.rehearsal.errors import RehearsalError
from safestep.rehearsal.http_client import SUCCESS, HttpClient
from safestep.rehearsal.leftovers import note_process
from safestep.rehearsal.openapi import OpenApiDocument
from safestep.rehearsal.processes import end, environment, values_of

START_TIMEOUT = 60.0
REQUEST_TIMEOUT = 30.0


@dataclass(frozen=True)
class Service:
    """`name` says which version it is; `document` is None where the project names none."""

    name: str
    client: HttpClient
    document: OpenApiDocument | None


@asynccontextmanager
async def running(
    profile: ServiceProfile, code: Path, name: str, url: URL, folder: Path, connections: int
) -> AsyncIterator[Service]:
    """The service of this code on this database. Raises RehearsalError with its last words when it doesn't start."""
    port = _free_port()
    values = values_of(url, folder, port=str(port))
    log = folder / f"{'-'.join(name.split())}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - it starts in a moment, and nothing else goes on yet
            profile.serve.arguments_with(values),
            env=environment(profile.serve, profile, code, values),
            cwd=folder,  # not the checkout, whose .env means another database
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the rehearsal, which stops this then
        )
    note_process(folder, process.pid)
    client = HttpClient(port, connections, REQUEST_TIMEOUT)
    try:
        await _started(client, process, name, log)
        yield Service(name, client, await _document(client, profile.openapi, name) if profile.openapi else None)
    finally:
        client.close()
        end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _started(client: HttpClient, process: subprocess.Popen[bytes], name: str, log: Path) -> None:
    """Returns when it answers, whatever it answers."""
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT
    while process.poll() is None and asyncio.get_running_loop().time() < deadline:
        try:
            await client.send("GET", "/")
        except (OSError, EOFError):
            await asyncio.sleep(0.05)
        else:
            return
    raise RehearsalError(f"{name} doesn't start: {_last_line(log)}")


async def _document(client: HttpClient, path: str, name: str) -> OpenApiDocument:
    response = await client.send("GET", path)
    if response.status not in SUCCESS:
        raise RehearsalError(f"{name} answers {response.status} to GET {path}, by which requests are chosen")
    return OpenApiDocument(response.json())


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() or ["it says nothing"]
    return lines[-1][:300]
