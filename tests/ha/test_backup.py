"""Backups are worth what a restore is worth: docs/operations.md's commands, run to the end and compared row by row."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from pgfolder import binary
from safestep.migrations import commands
from safestep.scratch import ScratchDatabase
from sqlalchemy.engine import URL

from app.db.migrations import project
from app.db.roles import roles_sql
from tests.ha.pair import Server, folder_of_servers, run
from tests.resources.posts import POSTS
from tests.support.accounts import API, PASSWORD, USERS
from tests.support.application import client_of, running
from tests.support.commands import postern
from tests.support.database import ask, plain
from tests.support.process import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.ha

POINT = "before_the_mistake"


def documented(name: str) -> list[str]:
    """The lines of the block of docs/operations.md that begins with this comment, without comments."""
    found = re.search(rf"```sh\n# {name}\n(.*?)```", (ROOT / "docs/operations.md").read_text(), re.DOTALL)
    assert found, name
    return [line for line in found[1].splitlines() if not line.startswith("#")]


def shell(lines: list[str], **variables: str) -> None:
    path = f"{binary('pg_dump').parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["sh", "-eu", "-c", "\n".join(lines)],
        env={"PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def contents(url: URL) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, as text."""
    tables = ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return {table: ask(url, f'SELECT t::text FROM "{table}" AS t ORDER BY 1') for (table,) in tables}


async def write(url: URL, email: str) -> None:
    """Somebody who signs in and writes."""
    async with running(url) as app, client_of(app, headers={}) as client:
        assert (await client.post(USERS, json={"email": email, "password": PASSWORD})).status_code == 201
        token = (await client.post(f"{API}/auth/token", data={"username": email, "password": PASSWORD})).json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        for number in range(10):
            new = {"title": f"Notes {number}", "body": "Text.", "slug": f"{email.partition('@')[0]}-{number}"}
            assert (await client.post(POSTS, json=new, headers=headers)).status_code == 201


async def read(url: URL) -> httpx2.Response:
    async with running(url) as app, client_of(app, headers={}) as client:
        assert (await client.get("/health/ready")).status_code == 200
        return await client.get(POSTS)


@pytest.fixture
def empty(template: URL) -> Iterator[URL]:
    """An empty database on the same server."""
    with ScratchDatabase(template.set(database="postgres")) as url:
        yield url


async def test_a_dump_is_restored_with_every_row_and_grant(
    tmp_path: Path, url: URL, empty: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(url, roles_sql())
    await write(url, "ada@example.com")
    file = str(tmp_path / "postern.dump")

    shell(documented("dump"), DATABASE=plain(url), FILE=file)
    shell(documented("restore"), DATABASE=plain(empty), FILE=file)

    assert contents(empty) == contents(url)
    assert await postern(monkeypatch, empty, "db", "check") == 0
    assert len((await read(empty)).json()["items"]) == 10


@pytest.fixture
def archived() -> Iterator[Server]:
    """A migrated server that archives its log."""
    with folder_of_servers() as folder:
        server = Server(folder / "a")
        archive = folder / "archive"
        run("initdb", "-A", "trust", "-U", "postgres", "-D", server.folder, "-N")
        make = ["mkdir", str(archive)]
        subprocess.run(make, check=True)
        shutil.copystat(folder, archive)
        shutil.chown(archive, folder.stat().st_uid, folder.stat().st_gid)
        conf = server.folder / "postgresql.conf"
        lines = [line.replace("/archive", str(archive)) for line in documented("archive") if "=" in line]
        conf.write_text("\n".join([conf.read_text(), *lines, ""]))
        server.start()
        commands.upgrade(project, server.url)
        yield server
        server.kill_if_running()


async def test_a_database_goes_back_to_the_moment_before_a_mistake(archived: Server) -> None:
    folder = archived.folder.parent
    await write(archived.url, "ada@example.com")
    run(
        "pg_basebackup",
        "-h",
        "127.0.0.1",
        "-p",
        str(archived.port),
        "-U",
        "postgres",
        "-D",
        folder / "base",
        "-c",
        "fast",
    )
    await write(archived.url, "grace@example.com")
    before = contents(archived.url)
    ask(archived.url, f"SELECT pg_create_restore_point('{POINT}')")
    ask(archived.url, "DELETE FROM posts")
    [(last,)] = ask(archived.url, "SELECT pg_walfile_name(pg_switch_wal())")
    await until(lambda: ask(archived.url, "SELECT last_archived_wal >= %s FROM pg_stat_archiver", last) == [(True,)])
    archived.kill()

    restored = Server(folder / "base")
    conf = restored.folder / "postgresql.conf"
    lines = [line.replace("/archive", str(folder / "archive")) for line in documented("recover") if "=" in line]
    conf.write_text("\n".join([conf.read_text(), *lines, ""]))
    (restored.folder / "recovery.signal").touch()
    restored.start()
    try:
        await restored.until_promoted()
        assert contents(restored.url) == before
        assert len((await read(restored.url)).json()["items"]) == 20
    finally:
        restored.kill()
