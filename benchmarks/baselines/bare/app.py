"""The limit: ASGI without a framework and asyncpg without a layer above it. It validates next to nothing."""

import os
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
from statements import CREATE, LIST, POST, USER, post

type Message = dict[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

pool: asyncpg.Pool


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    path, status = scope["path"], 200
    if path.startswith("/users/"):
        row = await pool.fetchrow(USER, UUID(path[7:]))
        answer = dict(row) if row else None
    elif path.startswith("/posts/"):
        row = await pool.fetchrow(POST, UUID(path[7:]))
        answer = post(row) if row else None
    elif scope["method"] == "POST":
        new = orjson.loads(await body(receive))
        row = await pool.fetchrow(CREATE, uuid4(), UUID(new["author_id"]), new["title"], new["body"])
        answer, status = post(row), 201
    else:
        limit = int(scope["query_string"].partition(b"=")[2] or 20)
        answer = {"items": [post(row) for row in await pool.fetch(LIST, limit)]}
    content = orjson.dumps(answer, default=str)  # the driver has a UUID type of its own
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status if answer else 404, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def lifespan(receive: Receive, send: Send) -> None:
    global pool  # noqa: PLW0603 - one pool a process
    await receive()
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=20, max_size=20)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})
