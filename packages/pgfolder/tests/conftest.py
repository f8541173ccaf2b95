"""Folders for servers: a new one, and one whose cluster exists already."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pgfolder_support.servers import end_leftovers, remove, server


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that every user may enter, unlike `tmp_path`: root's server runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix="embedded-"))
    folder.chmod(0o755)
    yield folder
    remove(folder)


@pytest.fixture
def new_dir(base: Path) -> Path:
    return base / "data"


@pytest.fixture(scope="session")
def used_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="embedded-"))
    with server(folder):
        pass
    yield folder
    remove(folder)


@pytest.fixture
def data_dir(used_dir: Path) -> Iterator[Path]:
    """A folder with a cluster that no server runs; shared, for `initdb` takes longer than the rest of a test."""
    yield used_dir
    end_leftovers(used_dir)
