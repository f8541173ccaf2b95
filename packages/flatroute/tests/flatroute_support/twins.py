"""The same application twice, one of them compiled; every request goes to both and has to be answered alike."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import flatroute
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

type Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    raised: str | None
    """What went past the application, as a server would see it."""
    compiled: bool
    """Whether the compiled twin answered by itself."""


class Twins:
    """`make` builds the application, whose routes must not depend on how often it is called."""

    def __init__(self, make: Callable[[], FastAPI]) -> None:
        self.plain, self.compiled = make(), make()
        flatroute.install(self.compiled)
        self._handed_over = 0
        layer: Any = self.compiled.router.middleware_stack
        layer._router = self._counting(layer._router)

    def _counting(self, router: ASGIApp) -> ASGIApp:
        async def count(scope: Scope, receive: Receive, send: Send) -> None:
            self._handed_over += 1
            await router(scope, receive, send)

        return count

    async def get(self, path: str, query: str = "", headers: Headers = (), **scope: Any) -> Answer:
        """The answer of both; it fails when they differ in one byte."""
        request = {"path": path, "query_string": query.encode(), "headers": _encoded(headers), **scope}
        expected = await exchange(self.plain, request)
        before = self._handed_over
        found = await exchange(self.compiled, request)
        assert found == expected, f"{path}?{query} {headers}\ncompiled: {found}\nplain:    {expected}"
        status, sent_headers, body, raised = found
        return Answer(status, sent_headers, body, raised, compiled=self._handed_over == before)


async def exchange(app: FastAPI, request: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes, str | None]:
    """Status, headers and body of the answer, and what was raised."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "root_path": "",
        "scheme": "http",
        "client": ("203.0.113.7", 4711),
        "server": ("127.0.0.1", 8000),
        **request,
        "headers": list(request["headers"]),
    }
    scope["raw_path"] = scope["path"].encode()
    sent: list[Message] = []
    bodies = [scope.pop("body", b"")]

    async def receive() -> Message:
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        await asyncio.Event().wait()  # the client neither sends more nor leaves
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    raised = None
    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - whatever passes the application is part of what is compared
        raised = f"{type(error).__name__}: {error}"
    start, *rest = sent or [{"status": 0, "headers": []}]
    return start["status"], list(start["headers"]), b"".join(each.get("body", b"") for each in rest), raised


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [
        (b"host", b"flatroute.test"),
        *((name.lower().encode(), value.encode("latin-1")) for name, value in headers),
    ]
