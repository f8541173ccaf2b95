"""How many functions a request calls, counted inside a copy of the application: no clock, so no noise.

    python -P calls.py < requests.json

Runs with the settings of its environment. Reads `{"sign_in": request, "workloads": {name: [request, …]}}` and prints
`{name: calls}`: the median of the calls, of Python and of C, between a request's head and the last byte of its answer.
The HTTP parser isn't in it.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from http import HTTPStatus
from statistics import median
from types import CodeType
from typing import Any

WARM_UP = 30
"""Requests before the count begins: statements are compiled, connections made, caches filled."""
MONITORING = sys.monitoring
TOOL = MONITORING.PROFILER_ID

type Message = dict[str, Any]
type Request = dict[str, Any]


class Counter:
    """Counts calls while it is on."""

    def __init__(self) -> None:
        self.calls = 0
        MONITORING.use_tool_id(TOOL, "calls")
        MONITORING.register_callback(TOOL, MONITORING.events.PY_START, self._python)
        MONITORING.register_callback(TOOL, MONITORING.events.PY_RESUME, self._python)
        MONITORING.register_callback(TOOL, MONITORING.events.C_RETURN, self._c)
        MONITORING.register_callback(TOOL, MONITORING.events.C_RAISE, self._c)

    def _python(self, _code: CodeType, _offset: int) -> None:
        self.calls += 1

    def _c(self, _code: CodeType, _offset: int, _called: Callable[..., Any], _first: object) -> None:
        self.calls += 1

    def __enter__(self) -> "Counter":
        events = MONITORING.events
        self.calls = 0
        MONITORING.set_events(TOOL, events.PY_START | events.PY_RESUME | events.CALL)
        return self

    def __exit__(self, *_: object) -> None:
        MONITORING.set_events(TOOL, MONITORING.events.NO_EVENTS)


async def exchange(app: Any, request: Request) -> tuple[int, bytes]:
    """Sends one request; returns the status and the body."""
    content = request["body"].encode()
    path, _, query = request["path"].partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request["method"],
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), text.encode()) for name, text in request["headers"].items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    answer: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        answer.append(message)

    await app(scope, receive, send)
    return answer[0]["status"], b"".join(message.get("body", b"") for message in answer)


async def count(app: Any, requests: list[Request], counter: Counter) -> float:
    counts = []
    for number, request in enumerate(requests):
        with counter:
            status, answer = await exchange(app, request)
        if not HTTPStatus(status).is_success:
            raise SystemExit(f"{request['method']} {request['path']} was answered with {status}: {answer.decode()}")
        if number >= WARM_UP:
            counts.append(counter.calls)
    return median(counts)


async def main() -> None:
    from app.main import app  # as uvicorn imports it, with the settings of the environment

    asked = json.load(sys.stdin)
    counter = Counter()
    async with app.router.lifespan_context(app):
        _, answer = await exchange(app, asked["sign_in"])
        authorization = f"Bearer {json.loads(answer)['access_token']}"
        found = {}
        for name, requests in asked["workloads"].items():
            for request in requests:
                if request["signed_in"]:
                    request["headers"]["Authorization"] = authorization
            found[name] = await count(app, requests, counter)
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
