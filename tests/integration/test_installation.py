"""Environments made from the requirements files, as README.md says and as production does, run the service."""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from tests.support.environments import copy_checkout, install, make_environment, run
from tests.support.laws import ROOT
from tests.support.process import environment, started
from tests.support.server import Clone

USERS = "/api/v1/users"
BLOCKS = re.compile(r"## Without make.*?```sh\n(.*?)```.*?```sh\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has requirements.txt and nothing else."""
    return make_environment(tmp_path_factory.mktemp("serving") / "venv", "requirements.txt")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike `tmp_path`: root's PostgreSQL runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix="postern-installation-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def empty_database(template: URL) -> AsyncIterator[URL]:
    async with Clone(template.set(database="template1")) as url:
        yield url


def readme() -> list[list[str]]:
    """The lines of the two blocks: for development, and for production."""
    found = BLOCKS.search((ROOT / "README.md").read_text())
    assert found
    return [block.splitlines() for block in found.groups()]


def address(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def test_what_serves_is_enough_to_migrate_and_to_serve(serving: Path, empty_database: URL, tmp_path: Path) -> None:
    run([serving / "alembic", "upgrade", "head"], ROOT, DATABASE_URL=address(empty_database))

    command = (str(serving / "uvicorn"), "app.main:app", "--port", "0")
    with started(command, tmp_path, environment(empty_database), cwd=ROOT) as service:
        assert service.get(USERS) == 200


def test_production_installs_the_command_without_the_tools(serving: Path, empty_database: URL, tmp_path: Path) -> None:
    _, [*installation, migrate, serve] = readme()
    assert migrate == "postern db upgrade"
    assert serve.startswith("postern serve ")
    run(["sh", "-ec", "\n".join(installation)], ROOT, VIRTUAL_ENV=str(serving.parent))

    postern = str(serving / "postern")
    assert "serve" in run([postern, "--help"], tmp_path)
    run([postern, "db", "upgrade"], tmp_path, DATABASE_URL=address(empty_database))
    with started((postern, "serve", "--port", "0"), tmp_path, environment(empty_database)) as service:
        assert service.get(USERS) == 200
        assert service.end(signal.SIGTERM) == 0


def test_a_revision_is_written_without_ruff_too(serving: Path, tmp_path: Path) -> None:
    install(serving.parent, "--no-deps", "--editable", "packages/safestep")
    copy_checkout(tmp_path)

    said = run([serving / "alembic", "revision", "-m", "later"], tmp_path)

    assert "ruff isn't installed, so the revision stays as it was generated" in said
    assert len(list(tmp_path.glob("alembic/versions/*_later.py"))) == 1


def test_without_a_database_what_serves_says_in_one_line_what_to_do(serving: Path, tmp_path: Path) -> None:
    command = (str(serving / "uvicorn"), "app.main:app", "--port", "0")
    with started(command, tmp_path, environment()) as service:
        assert service.wait() == 1

    [heading, fault] = service.output.splitlines()
    assert heading == "Invalid settings:"
    assert "set DATABASE_URL=postgresql+asyncpg://" in fault


def test_the_readme_without_make_can_be_pasted_into_an_empty_folder(open_folder: Path) -> None:
    [clone, enter, *commands, serve], _ = readme()
    assert clone.startswith("git clone ")
    assert enter == "cd postern"
    assert serve == "postern serve"
    checkout = open_folder / "postern"
    copy_checkout(checkout)

    run(["sh", "-ec", "\n".join(commands)], checkout, UV_VENV_CLEAR="1")

    programs = checkout / ".venv" / "bin"
    with started(
        (str(programs / "postern"), "serve", "--port", "0"), open_folder, environment(), cwd=checkout
    ) as service:
        assert service.get(USERS) == 200
        assert service.end(signal.SIGTERM) == 0
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    run(["sh", "-c", "alembic upgrade head && ruff format"], checkout, PATH=path)
    assert [name for name in ("mypy", "pytest", "uvicorn") if not (programs / name).exists()] == []
