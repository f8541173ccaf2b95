"""The README's example, as it stands, is a project outside of any application: one table, no web framework."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from pgfolder import binary
from safestep_support.databases import ask
from sqlalchemy.engine import URL

README = (Path(__file__).parents[1] / "README.md").read_text()
MODELS = """
from sqlalchemy import Column, DateTime, Identity, BigInteger, MetaData, Table, Text, text

metadata = MetaData()
Table(
    "notes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("title", Text, nullable=False),
    Column("written_at", DateTime(timezone=True), server_default=text("now()"), nullable=False),
)
"""


class Shop:
    """The project's folder, and a shell in it."""

    def __init__(self, folder: Path, database: URL, server: URL) -> None:
        self.folder = folder
        programs = [str(Path(sys.executable).parent), str(binary("pg_dump").parent)]
        self._environment = {
            "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
            "DATABASE_URL": database.render_as_string(hide_password=False),
            "SERVER": server.render_as_string(hide_password=False),
        }

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        words = [
            self._environment.get(word.removeprefix("$"), word) if word.startswith("$") else word
            for word in shlex.split(command, comments=True)
        ]
        words[0] = sys.executable if words[0] == "python" else str(Path(sys.executable).parent / words[0])
        return subprocess.run(
            words, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def shop(tmp_path: Path, empty: URL, server: URL) -> Shop:
    """What the README has written so far."""
    made = Shop(tmp_path, empty, server)
    assert made.run("alembic init migrations").returncode == 0
    program, environment = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "shop.py").write_text(program)
    (tmp_path / "migrations" / "env.py").write_text(environment)
    return made


def commands() -> list[str]:
    return re.findall(r"^\$ (.*)$", README, re.MULTILINE)


def test_the_readmes_commands_work_in_their_order(shop: Shop, empty: URL) -> None:
    said = {}
    for command in commands():
        done = shop.run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said[command.split()[2]] = done.stdout

    assert {"revision", "lint", "seal", "gate", "upgrade", "check"} == said.keys()
    assert said["gate"].splitlines()[-1] == "open: migrations build what the models describe"
    assert said["check"] == "open: models and database agree\n"
    ask(empty, "INSERT INTO notes (title) VALUES ('written')")
    assert shop.run("alembic current --check-heads").returncode == 0


def test_outside_too_it_refuses_what_is_unsafe_and_says_what_is_wrong_in_one_line(shop: Shop, empty: URL) -> None:
    for command in ("revision -m notes", "seal", "upgrade"):
        assert shop.run(f"python shop.py {command}").returncode == 0
    assert shop.run("python shop.py revision --empty -m index").returncode == 0
    [file] = (shop.folder / "migrations" / "versions").glob("*_index.py")
    file.write_text(file.read_text().replace("    pass", "    op.execute('CREATE INDEX i ON notes (title)')", 1))

    unsafe = shop.run("python shop.py lint")
    assert (unsafe.returncode, "CREATE INDEX i" in unsafe.stdout) == (1, True)
    assert shop.run("python shop.py gate --server $SERVER").returncode == 1

    ask(empty, "UPDATE alembic_version SET version_num = 'unknown'")
    lost = shop.run("python shop.py upgrade")
    assert (lost.returncode, lost.stdout) == (1, "")
    assert re.fullmatch(r"python shop\.py: .*'unknown'\n", lost.stderr)
