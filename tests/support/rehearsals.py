"""Copies of the project with revisions of their own, and rehearsals of them through the command."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safestep.cli import make_app
from safestep.migrations import commands as migrations
from typer.testing import CliRunner

from app.db.migrations import ROOT, make_project

REVISION = '''"""{name}

Revision ID: {revision}
Revises: {after}
Create Date: 2026-11-22 00:00:00+00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{after}"
branch_labels = None
depends_on = None
phase = "{phase}"


def upgrade() -> None:
    {body}


def downgrade() -> None:
    raise NotImplementedError
'''

# A new column in the ordinary, quick way: the ones below need a table without NULLs in it.
LANGUAGE = "ALTER TABLE posts ADD COLUMN language varchar(8) DEFAULT 'en'"

# What one would write without thinking of traffic. Each reads or rewrites the whole table under a lock.
NAIVE = {
    "create index": "CREATE INDEX ix_posts_title ON posts (title)",
    "set not null": "ALTER TABLE posts ALTER COLUMN language SET NOT NULL",
    "foreign key": "ALTER TABLE posts ADD CONSTRAINT fk_posts_owner FOREIGN KEY (author_id) REFERENCES users (id)",
    "column type": "ALTER TABLE posts ALTER COLUMN title TYPE varchar(190)",
    "volatile default": "ALTER TABLE posts ADD COLUMN token uuid DEFAULT gen_random_uuid()",
}


@dataclass(frozen=True)
class CodeCopy:
    """A copy of the code and its migrations."""

    root: Path

    @property
    def head(self) -> str:
        return migrations.heads(make_project(root=self.root))[0]

    def add(self, name: str, *statements: str, phase: str = "expand") -> str:
        """Adds a revision after the newest, with these statements in one transaction; returns its id."""
        return self.add_steps(name, *(f"op.execute({statement!r})" for statement in statements), phase=phase)

    def add_steps(self, name: str, *lines: str, phase: str = "expand") -> str:
        """The same with lines of Python."""
        revision = f"{name.replace(' ', '_')}_{len(list(self._versions.glob('*.py')))}"
        body = "\n    ".join(lines)
        text = REVISION.format(name=name, revision=revision, after=self.head, body=body, phase=phase)
        (self._versions / f"{revision}.py").write_text(text)
        return revision

    @property
    def _versions(self) -> Path:
        return self.root / "alembic" / "versions"


def copied(folder: Path) -> CodeCopy:
    root = folder / "project"
    for name in ("app", "alembic", "packages"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "alembic.ini", root)
    return CodeCopy(root)


@dataclass(frozen=True)
class Outcome:
    code: int
    report: dict[str, Any]
    errors: str

    def statement(self, beginning: str) -> dict[str, Any]:
        found = [each for leg in self.report["legs"] for each in leg["statements"] if each["sql"].startswith(beginning)]
        assert len(found) == 1, [each["sql"] for leg in self.report["legs"] for each in leg["statements"]]
        return found[0]


def rehearse(root: Path, folder: Path, *arguments: str, **environment: str) -> Outcome:
    """`postern db rehearse --json -` of this project; what it leaves behind would be in `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setattr(sys, "path", sys.path[:])  # Alembic adds the project's folder
        environment = {"DATA_DIR": str(folder / "data")} | environment
        command = make_app(make_project(root=root))
        result = CliRunner().invoke(command, ["rehearse", "--json", "-", *arguments], env=environment)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    report = json.loads(result.stdout) if result.stdout.startswith("{") else {}
    return Outcome(result.exit_code, report, result.stderr)


def start(root: Path, folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """The same in a process of its own, which can be interrupted."""
    kept = {name: text for name, text in os.environ.items() if name not in ("DATABASE_URL", "ENVIRONMENT")}
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli.main", "db", "rehearse", "--json", "-", *arguments],
        cwd=root,
        env={**kept, "PYTHONPATH": str(root), "TMPDIR": str(folder), "DATA_DIR": str(folder / "data"), **environment},
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
