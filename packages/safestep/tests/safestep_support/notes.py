"""A service of one table and a bare ASGI application, with revisions that a test adds, to be rehearsed."""

import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safestep.cli import make_app
from safestep.project import Project
from typer.testing import CliRunner

INI = """
[alembic]
script_location = %(here)s/migrations
path_separator = os
prepend_sys_path = %(here)s
"""
ENV = """
from safestep.environment import run

from commands import project

run(project)
"""
COMMANDS = """
import os
from contextlib import contextmanager
from pathlib import Path

from pgfolder import EmbeddedPostgres, binary
from safestep.cli import run
from safestep.project import Project
from safestep.rehearsal import Command, ServiceProfile
from sqlalchemy import MetaData
from sqlalchemy.engine import make_url


@contextmanager
def database():
    yield make_url(os.environ["DATABASE_URL"])


@contextmanager
def scratch_server(folder, settings):
    with EmbeddedPostgres(folder, options=settings) as server:
        yield make_url(server.url("postgres"))


profile = ServiceProfile(
    serve=Command(arguments=("{python}", "-m", "uvicorn", "service:app", "--lifespan", "on", "--port", "{port}")),
    requests={"GET /notes?limit=20": 5, "GET /notes/{id}": 10, 'POST /notes {"text": "Note {unique}"}': 2},
    samples={"id": "SELECT id FROM notes LIMIT 1000"},
)
project = Project(
    root=Path(__file__).parent,
    metadata=MetaData,
    database=database,
    scratch_server=scratch_server,
    client_program=binary,
    command="notes db",
    rehearsal=lambda: profile,
)

if __name__ == "__main__":
    run(project)
"""
REVISION = '''"""{name}"""

from alembic import op

import safestep

revision = {name!r}
down_revision = {after!r}
phase = {phase!r}


def upgrade():
    {body}
'''
SERVICE = """
import json
import os

import asyncpg

QUERIES = {
    "LIST": "SELECT id, text FROM notes ORDER BY id DESC LIMIT 20",
    "GET": "SELECT id, text FROM notes WHERE id = $1",
    "POST": "INSERT INTO notes (text) VALUES ($1) RETURNING id, text",
}


async def app(scope, receive, send):
    global pool
    if scope["type"] == "lifespan":
        await receive()
        pool = await asyncpg.create_pool(os.environ["DATABASE_URL"].replace("+asyncpg", ""), min_size=1)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await pool.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status, body = await answer(scope["method"], scope["path"], (await receive())["body"])
    content = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def answer(method, path, body):
    collection, _, key = path.removeprefix("/").partition("/")
    if collection != "notes":
        return 404, None
    if method == "POST":
        return 201, dict(await pool.fetchrow(QUERIES["POST"], json.loads(body)["text"]))
    if key:
        row = await pool.fetchrow(QUERIES["GET"], int(key))
        return (200, dict(row)) if row else (404, None)
    return 200, [dict(row) for row in await pool.fetch(QUERIES["LIST"])]
"""

NOTES = "CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL)"


@dataclass(frozen=True)
class Notes:
    """The project's folder. Its first revision is called `notes`."""

    root: Path

    def __post_init__(self) -> None:
        self.versions.mkdir(parents=True)
        (self.root / "alembic.ini").write_text(INI)
        (self.root / "migrations" / "env.py").write_text(ENV)
        (self.root / "commands.py").write_text(COMMANDS)
        (self.root / "service.py").write_text(SERVICE)
        self.add("notes", NOTES, after=None)

    @property
    def project(self) -> Project:
        project: Project = runpy.run_path(str(self.root / "commands.py"))["project"]
        return project

    @property
    def versions(self) -> Path:
        return self.root / "migrations" / "versions"

    def add(self, name: str, *statements: str, phase: str = "expand", after: str | None = "notes") -> str:
        """Writes a revision with these statements in one transaction; returns its id."""
        body = "\n    ".join(f"op.execute({statement!r})" for statement in statements)
        (self.versions / f"{name}.py").write_text(REVISION.format(name=name, after=after, phase=phase, body=body))
        return name

    def commit(self, message: str = "as it is") -> str:
        """The commit of everything that is there."""
        if subprocess.run(["git", "-C", self.root, "rev-parse"], check=False, capture_output=True).returncode:
            self.git("init", "-q", "-b", "main")
        self.git("add", ".")
        self.git("-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", self.root, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()


@dataclass(frozen=True)
class Outcome:
    """Of the command `rehearse`: its exit code, its report, and what it wrote to standard error."""

    code: int
    report: dict[str, Any]
    errors: str

    def statement(self, beginning: str) -> dict[str, Any]:
        found = [each for leg in self.report["legs"] for each in leg["statements"] if each["sql"].startswith(beginning)]
        assert len(found) == 1, [each["sql"] for leg in self.report["legs"] for each in leg["statements"]]
        return found[0]


def rehearse(project: Project, *arguments: str, folder: Path | None = None) -> Outcome:
    """Runs the command in this process; what it leaves behind would be in `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", sys.path[:])  # Alembic adds the project's folder
        if folder:
            patch.setattr(tempfile, "tempdir", str(folder))
        result = CliRunner().invoke(make_app(project), ["rehearse", "--json", "-", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    report = json.loads(result.stdout) if result.stdout.startswith("{") else {}
    return Outcome(result.exit_code, report, result.stderr)


def start(notes: Notes, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The same in a process of its own, which can be interrupted."""
    return subprocess.Popen(
        [sys.executable, "-m", "commands", "rehearse", "--json", "-", *arguments],
        cwd=notes.root,
        env={**os.environ, "PYTHONPATH": str(notes.root), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], seconds: float = 300) -> Outcome:
    """Waits for the process's result."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        process.communicate()
        raise
    return Outcome(process.returncode, json.loads(output) if output.startswith("{") else {}, errors)
