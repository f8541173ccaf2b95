"""HTTP/1.1 for a load generator: connections are kept, and a request takes little of the service's processor time."""

import asyncio
import json
from collections import deque
from typing import Any, NamedTuple

SUCCESS = range(200, 300)


class HttpResponse(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class HttpClient:
    """At most `connections` at a time; a request that finds none free waits for one."""

    def __init__(self, port: int, connections: int, timeout: float) -> None:
        self._port = port
        self._timeout = timeout
        self._free: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._slots = asyncio.Semaphore(connections)

    async def send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: object | None = None
    ) -> HttpResponse:
        """Raises OSError, EOFError or ValueError when there is no whole response in time."""
        content = b"" if body is None else json.dumps(body).encode()
        fields = {"Host": "127.0.0.1", "Content-Length": str(len(content)), **(headers or {})}
        if body is not None:
            fields["Content-Type"] = "application/json"
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {text}\r\n" for name, text in fields.items())
        async with asyncio.timeout(self._timeout), self._slots:
            return await self._exchange(f"{head}\r\n".encode() + content)

    async def _exchange(self, message: bytes) -> HttpResponse:
        reader, writer = await self._connection()
        try:
            writer.write(message)
            response = await _read(reader)
        except BaseException:
            writer.close()
            raise
        if response.headers.get("connection") == "close":
            writer.close()
        else:
            self._free.append((reader, writer))
        return response

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._free:
            reader, writer = self._free.pop()
            if not reader.at_eof():  # the server closes connections that nobody used for a while
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        while self._free:
            self._free.pop()[1].close()


async def _read(reader: asyncio.StreamReader) -> HttpResponse:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines if line)}
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return HttpResponse(int(first.split()[1]), headers, body)
