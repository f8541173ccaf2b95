"""`postern users create-admin`: the real command, on a database of its own."""

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import URL

from app.core import product
from app.core.identity import Scope
from app.db.models.user import User
from tests.support.accounts import ME, PASSWORD, hashed, is_locked_out, sign_in, tokens_of
from tests.support.application import client_of, running, storing
from tests.support.callers import Callers, header
from tests.support.commands import postern
from tests.support.database import ask
from tests.support.users import new_user

ROOT = "root@example.com"
STRONG = "an unlikely green harbour"

# Makes the pseudo-terminal the process's own, as a shell does, so that the prompt can turn the echo off.
ON_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.fixture
async def app(url: URL) -> AsyncIterator[FastAPI]:
    async with running(url) as app:
        yield app


@pytest.fixture
async def visitor(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app, headers={}) as client:
        yield client


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


type Here = Callable[[str, bytes], Awaitable[Result]]


def environment(url: URL, **variables: str) -> dict[str, str]:
    address = url.render_as_string(hide_password=False)
    return {**os.environ, "DATABASE_URL": address, "PYTHONUTF8": "1", **variables}


USERS = ("-m", "app.cli.main", "users")
COMMAND = (*USERS, "create-admin")


async def create_admin(url: URL, email: str, typed: bytes, **variables: str) -> Result:
    """Runs the command with this on its standard input."""
    return await command(url, *COMMAND, email, "--password-stdin", typed=typed, **variables)


async def command(url: URL, *arguments: str, typed: bytes = b"", **variables: str) -> Result:
    pipe, env = asyncio.subprocess.PIPE, environment(url, **variables)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=env, stdin=pipe, stdout=pipe, stderr=pipe
    )
    out, err = await asyncio.wait_for(process.communicate(typed), 120)
    return Result(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def here(url: URL, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Runs the command in this process, which takes a tenth of the time of another."""

    async def here(email: str, typed: bytes) -> Result:
        code = await postern(monkeypatch, url, "users", "create-admin", email, "--password-stdin", stdin=typed)
        return Result(int(code or 0), *capsys.readouterr())

    return here


async def create_admin_on_a_terminal(url: URL, email: str, *passwords: str) -> tuple[int, str]:
    """Runs the command at a terminal and types each password when it is asked for; what the screen shows."""
    screen, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", ON_A_TERMINAL, *COMMAND, email),
        env=environment(url),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)

    def use() -> str:
        shown, to_type = b"", list(passwords)
        with suppress(OSError):  # the terminal is gone when the command ends
            while chunk := os.read(screen, 1000):
                shown += chunk
                if to_type and shown.endswith(b": "):
                    os.write(screen, to_type.pop(0).encode() + b"\n")
        return shown.decode()

    try:
        shown = await asyncio.wait_for(asyncio.to_thread(use), 120)
        return await process.wait(), shown
    finally:
        os.close(screen)


def stored(url: URL) -> list[tuple[str, bool, bool, bool]]:
    """Address, administrator, active, confirmed."""
    return [
        tuple(row) for row in ask(url, "SELECT email, is_admin, is_active, email_verified_at IS NOT NULL FROM users")
    ]


async def test_an_administrator_is_created_and_can_sign_in(url: URL, visitor: httpx2.AsyncClient) -> None:
    result = await create_admin(url, ROOT, f"{STRONG}\n".encode())

    assert (result.code, result.out) == (0, f"{ROOT} was created as an administrator\n")
    assert stored(url) == [(ROOT, True, True, True)]
    tokens = await tokens_of(visitor, ROOT, STRONG)
    assert (await visitor.get("/api/v1/audit-events", headers=header(tokens["access_token"]))).status_code == 200


@pytest.mark.parametrize("typed", [STRONG.encode(), f"{STRONG}\r\n".encode(), f"{STRONG}\nmore\n".encode()])
async def test_the_password_is_the_first_line_of_the_input(url: URL, visitor: httpx2.AsyncClient, typed: bytes) -> None:
    assert (await create_admin(url, ROOT, typed)).code == 0

    assert (await sign_in(visitor, ROOT, STRONG)).status_code == 200


async def test_an_existing_account_becomes_an_administrator_and_is_signed_out(
    url: URL, app: FastAPI, visitor: httpx2.AsyncClient
) -> None:
    ada = new_user(email="Ada@example.com", name="Ada", password_hash=hashed())
    await storing(app)(ada)
    before = await tokens_of(visitor, ada.email)
    key = await Callers(app, storing(app)).with_key(ada, *Scope)

    result = await create_admin(url, "ada@example.com", STRONG.encode())

    assert (result.code, result.out) == (0, "ada@example.com is now an administrator\n")
    assert stored(url) == [("Ada@example.com", True, True, True)]
    assert await is_locked_out(visitor, before)
    assert (await visitor.get(ME, headers=key)).status_code == 401
    assert (await sign_in(visitor, ada.email, PASSWORD)).status_code == 401
    me = await visitor.get(ME, headers=header((await tokens_of(visitor, ada.email, STRONG))["access_token"]))
    assert (me.json()["id"], me.json()["name"]) == (str(ada.id), "Ada")


async def test_a_deactivated_account_is_activated(url: URL, app: FastAPI, visitor: httpx2.AsyncClient) -> None:
    user: User = new_user(email=ROOT, is_active=False, email_verified_at=None)
    await storing(app)(user)

    await create_admin(url, ROOT, STRONG.encode())

    assert stored(url) == [(ROOT, True, True, True)]
    assert (await sign_in(visitor, ROOT, STRONG)).status_code == 200


@pytest.mark.parametrize(
    ("email", "typed"),
    [
        ("not an address", STRONG.encode()),
        ("", STRONG.encode()),
        ("root\n@example.com", STRONG.encode()),
        (ROOT, b""),
        (ROOT, b"\n"),
        (ROOT, b"2short!\n"),
        (ROOT, b"hunter2hunter2" * 10 + b"\n"),
        (ROOT, b"PassWord\n"),
        (ROOT, b"qwertyuiop\n"),
        (ROOT, b"\xff\xfenot utf-8\xff\xff\n"),
    ],
)
async def test_what_is_refused_is_one_line_and_changes_nothing(here: Here, url: URL, email: str, typed: bytes) -> None:
    result = await here(email, typed)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"{product.COMMAND}: ")
    assert result.err.count("\n") == 1
    assert stored(url) == []


@pytest.mark.parametrize("password", [STRONG, "2short!", "qwertyuiop", "hunter2 " * 20])
async def test_the_password_is_neither_printed_nor_logged_nor_on_record(
    here: Here, url: URL, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    result = await here(ROOT, password.encode())

    on_record = ask(url, "SELECT coalesce(string_agg(e::text, ' '), '') FROM audit_events e")[0][0]
    assert password not in result.out + result.err + on_record
    assert (result.code == 0) == ("user.created" in on_record)


async def test_the_prompt_asks_twice_and_does_not_echo(url: URL, visitor: httpx2.AsyncClient) -> None:
    code, shown = await create_admin_on_a_terminal(url, ROOT, STRONG, STRONG)

    assert code == 0, shown
    assert shown.split() == f"Password: Repeat for confirmation: {ROOT} was created as an administrator".split()
    assert (await sign_in(visitor, ROOT, STRONG)).status_code == 200


async def test_the_prompt_asks_again_when_the_two_differ(url: URL) -> None:
    code, shown = await create_admin_on_a_terminal(url, ROOT, STRONG, "something else", STRONG, STRONG)

    assert code == 0, shown
    assert shown.count("Password: ") == 2
    assert STRONG not in shown
    assert "something else" not in shown
    assert stored(url) == [(ROOT, True, True, True)]


async def test_a_database_that_is_not_there_is_one_line(url: URL) -> None:
    result = await create_admin(url.set(database="nowhere"), ROOT, STRONG.encode())

    assert (result.code, result.out) == (1, "")
    assert STRONG not in result.err
    assert result.err.splitlines()[-1].startswith(f"{product.COMMAND}: ")
    assert "Traceback" not in result.err


async def test_an_administrator_becomes_an_ordinary_account_at_once(
    url: URL, app: FastAPI, visitor: httpx2.AsyncClient
) -> None:
    await storing(app)(new_user(email=ROOT, is_admin=True, password_hash=hashed()))
    headers = header((await tokens_of(visitor, ROOT))["access_token"])

    result = await command(url, *USERS, "revoke-admin", ROOT.upper())
    again = await command(url, *USERS, "revoke-admin", ROOT)

    assert (result.code, result.out) == (0, "ROOT@EXAMPLE.COM is no administrator any more\n")
    assert (await visitor.get("/api/v1/audit-events", headers=headers)).status_code == 403
    assert (again.code, again.err) == (1, f"{product.COMMAND}: There is no administrator with this e-mail address.\n")
    assert ask(url, "SELECT actor_kind, changes FROM audit_events WHERE action = 'user.updated'") == [
        ("command", {"is_admin": [True, False]})
    ]
