"""Clients that leave before their answer: what has begun for them comes to its end, the rest is never begun."""

import json
import socket
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import text
from sqlalchemy.engine import URL
from starlette.types import Receive, Scope, Send

from app.api.deps import ReadConnection, WriteSession, WriteTransactions
from app.api.middleware import IS_CLOSING
from tests.support.accounts import USERS
from tests.support.application import client_of, running
from tests.support.database import ask, count, plain
from tests.support.process import POSTERN, Service, environment, started
from tests.support.users import new_user
from tests.support.waiting import until, until_blocked

ONE_CONNECTION = {"DB_POOL_SIZE": "1", "DB_MAX_OVERFLOW": "0"}
PATIENCE = dict.fromkeys(("DB_POOL_TIMEOUT", "DB_STATEMENT_TIMEOUT", "DB_LOCK_TIMEOUT", "REQUEST_TIMEOUT"), "600")
LENIENT = {"RATE_LIMITS": "false", "LOG_FORMAT": "json", "PASSWORD_TIME_COST": "1", "PASSWORD_MEMORY_KIB": "8"}
MANY = 50


def register(service: Service, name: str) -> socket.socket:
    """Sends a registration and doesn't wait for the answer."""
    body = json.dumps({"email": f"{name}@example.com", "password": "a quiet green harbour"})
    head = f"POST {USERS} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    client = socket.create_connection(("127.0.0.1", service.port))
    client.sendall((head + body).encode())
    return client


def connections(service: Service) -> int:
    """How many clients the service is connected to."""
    sockets = psutil.Process(service.pid).net_connections("tcp")
    return sum(each.laddr.port == service.port and bool(each.raddr) for each in sockets)


async def test_what_has_not_begun_when_its_client_leaves_is_not_begun(url: URL, tmp_path: Path) -> None:
    with started(POSTERN, tmp_path, environment(url, **ONE_CONNECTION, **PATIENCE, **LENIENT)) as service:
        with psycopg.connect(plain(url)) as somebody:
            somebody.execute("LOCK TABLE users IN EXCLUSIVE MODE")
            begun = register(service, "begun")
            await until_blocked(url, 1)
            abandoned = [register(service, f"abandoned{number}") for number in range(MANY)]
            await until(lambda: connections(service) == 1 + MANY)
            for client in (begun, *abandoned):
                client.close()
            await until(lambda: connections(service) == 0)
        with register(service, "next") as client:
            assert client.recv(12) == b"HTTP/1.1 201"
        await until(lambda: len(service.events("request")) == 2 + MANY)

    statuses = [event["status"] for event in service.events("request")]
    assert sorted(statuses) == [201, 201] + [499] * MANY
    assert ask(url, "SELECT email FROM users ORDER BY id") == [("begun@example.com",), ("next@example.com",)]


async def test_what_has_begun_when_its_client_leaves_may_take_further_connections(live_url: URL) -> None:
    left = False

    async def endpoint(session: WriteSession, transactions: WriteTransactions, reader: ReadConnection) -> None:
        nonlocal left
        session.add(new_user())
        await session.flush()
        left = True
        await reader.all(text("SELECT 1"))
        async with transactions() as another:
            another.add(new_user())

    async with running(live_url) as app:
        app.add_api_route("/write", endpoint, methods=["POST"])

        async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope | {"state": {IS_CLOSING: lambda: left}}, receive, send)

        async with client_of(asgi) as client:
            assert (await client.post("/write")).status_code == 200
            assert (await client.post("/write")).status_code == 499

    assert count(live_url, "users") == 2
