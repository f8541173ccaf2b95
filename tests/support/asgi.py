"""A request as a server hands it over."""

from fastapi import FastAPI
from starlette.types import Message, Scope


async def raw(
    app: FastAPI, method: str, path: str, headers: list[tuple[bytes, bytes]], *chunks: bytes, query: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """A request as a server hands it over, with the chunks of its body one by one."""
    waiting = [*chunks] or [b""]
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": query,
        "headers": headers,
        "client": ("203.0.113.7", 4711),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    start, *rest = sent
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], answered, b"".join(message.get("body", b"") for message in rest)
