"""Fixtures: the small project, and databases in which its first revision has run."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from safestep.scratch import ScratchDatabase
from safestep_support.databases import DRIVERS, Clone
from safestep_support.linting import LintedRevisions
from safestep_support.notes import Notes
from safestep_support.revisions import Revisions
from sqlalchemy.engine import URL, make_url


@pytest.fixture(scope="session")
def server(postgres_url: str) -> URL:
    """Where databases can be made."""
    return make_url(postgres_url)


@pytest.fixture(scope="session")
def template(server: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A database with the project's tables that others are copied from; nobody connects to it."""
    with ScratchDatabase(server) as url:
        Revisions(tmp_path_factory.mktemp("template")).upgrade(url)
        yield url


@pytest.fixture
def revisions(tmp_path: Path) -> Revisions:
    return Revisions(tmp_path)


@pytest.fixture
def linted(tmp_path: Path) -> LintedRevisions:
    """A project on which the rules of lint are tried."""
    return LintedRevisions(tmp_path)


@pytest.fixture
async def url(template: URL) -> AsyncIterator[URL]:
    """A database of this test's own, with the project's tables."""
    async with Clone(template) as url:
        yield url


@pytest.fixture(params=DRIVERS)
async def live_url(request: pytest.FixtureRequest, template: URL) -> AsyncIterator[URL]:
    """The same, once through each driver."""
    async with Clone(template, driver=request.param) as url:
        yield url


@pytest.fixture
def empty(server: URL) -> Iterator[URL]:
    """An empty database."""
    with ScratchDatabase(server) as url:
        yield url


@pytest.fixture
def notes(scratch_folder: Path) -> Notes:
    """A project with a service, to be rehearsed."""
    return Notes(scratch_folder / "notes")


@pytest.fixture
def scratch_folder() -> Iterator[Path]:
    """A short path that PostgreSQL's account may enter; rehearsals leave nothing in it, or it is an error."""
    folder = Path(tempfile.mkdtemp(prefix="rehearse-"))
    folder.chmod(0o711)
    yield folder
    left = [file.name for file in folder.glob("safestep-rehearsal-*")]
    running = [each.pid for each in psutil.process_iter(["cmdline"]) if str(folder) in str(each.info["cmdline"])]
    shutil.rmtree(folder)
    assert (left, running) == ([], [])
