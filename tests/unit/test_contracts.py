"""The tools that guard the layers and the tests themselves catch what they are there for."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.laws import ROOT

LINT = Path(sys.executable).with_name("lint-imports")

PLANTED = [
    ("app/core/errors.py", "from app.services import users", "The house: each layer knows only those below it"),
    ("app/api/deps.py", "import app.cli.main", "The house: each layer knows only those below it"),
    ("app/services/users.py", "import sqlalchemy", "Services decide: no HTTP, no SQL"),
    ("app/services/users.py", "from fastapi import HTTPException", "Services decide: no HTTP, no SQL"),
    (
        "app/api/routes/users.py",
        "from app.repos.users import UserRepo",
        "Routes declare: no SQL, no repos, no database",
    ),
    ("app/repos/users.py", "from starlette.exceptions import HTTPException", "Only the API knows HTTP"),
    ("packages/safestep/src/safestep/project.py", "import app.core.config", "Packages know nothing of the application"),
    ("packages/safestep/src/safestep/scratch.py", "import pgfolder", "Packages know nothing of each other"),
    ("app/main.py", "from safestep import lint", "Serving loads none of the tools"),
    ("app/main.py", "from pgfolder import EmbeddedPostgres", "Serving loads none of the tools"),
]


def linted(root: Path) -> tuple[int, list[str]]:
    """The exit code, and the names of the broken contracts."""
    sources = os.pathsep.join(map(str, (root / "packages").glob("*/src")))
    environment = os.environ | {"PYTHONPATH": sources}
    command = [LINT, "--no-cache"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, re.findall(r"^(.+) BROKEN", done.stdout, re.MULTILINE)


def test_the_layers_know_only_those_below_them() -> None:
    assert linted(ROOT) == (0, [])


@pytest.mark.parametrize(("path", "line", "contract"), PLANTED, ids=[line for _, line, _ in PLANTED])
def test_an_import_that_breaks_a_contract_is_caught(tmp_path: Path, path: str, line: str, contract: str) -> None:
    for folder in ("app", "packages"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    module = tmp_path / path
    module.write_text(f"{module.read_text()}\n{line}\n")

    code, broken = linted(tmp_path)

    assert code == 1
    assert contract in broken


def test_every_contract_has_a_violation_planted() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

    assert {contract["name"] for contract in contracts} == {contract for _, _, contract in PLANTED}


FAULTY = """
import warnings

async def forgotten(): ...

async def test_sound():
    await forgotten()

async def test_that_forgets_an_await():
    forgotten()

async def test_that_is_warned():
    warnings.warn("soon gone", DeprecationWarning)
"""


def test_what_python_only_warns_of_fails_a_test(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(FAULTY)

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:xdist"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "2 failed, 1 passed" in done.stdout
