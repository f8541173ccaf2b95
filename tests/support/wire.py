"""What a driver really sends: a relay in front of the server that notes the statements passing through."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import URL

SOCKET = ".s.PGSQL.5432"
# What precedes a statement is its length, whose last byte may be a letter.
STATEMENT = re.compile(rb"(BEGIN|COMMIT|ROLLBACK|SELECT|INSERT|UPDATE|DELETE)\b")


@asynccontextmanager
async def tapped(url: URL) -> AsyncIterator[tuple[URL, list[str]]]:
    """The address of a relay to this database, and the first words of the statements that clients send through it.

    The relay is a Unix socket: clients don't encrypt what they send there.
    """
    words: list[str] = []

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await _connected(url)
        async with asyncio.TaskGroup() as both:
            both.create_task(_pump(reader, upstream_writer, words))
            both.create_task(_pump(upstream_reader, writer, None))

    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tap-")))
        await stack.enter_async_context(await asyncio.start_unix_server(relay, folder / SOCKET))
        yield url.set(host=None, port=None, query={"host": str(folder), "port": "5432"}), words


async def _connected(url: URL) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host = str(url.query.get("host", url.host or "localhost"))
    port = int(str(url.query.get("port", url.port or 5432)))
    if host.startswith("/"):
        return await asyncio.open_unix_connection(Path(host) / f".s.PGSQL.{port}")
    return await asyncio.open_connection(host, port)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: list[str] | None) -> None:
    while chunk := await reader.read(65536):
        if words is not None:
            words += [word.decode() for word in STATEMENT.findall(chunk)]
        writer.write(chunk)
        await writer.drain()
    writer.close()
