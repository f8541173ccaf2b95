"""Fixtures of the tests that migrate databases of their own, and write revisions into a copy of the migrations."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from safestep.scratch import ScratchDatabase
from sqlalchemy.engine import URL

from tests.integration.migrations.project_copy import copy_migrations


@pytest.fixture
def server(template: URL, monkeypatch: pytest.MonkeyPatch) -> URL:
    """Where scratch databases are made."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # Alembic puts the project's folder in front
    return template.set(database="postgres")


@pytest.fixture
def database(server: URL) -> Iterator[URL]:
    """An empty database."""
    with ScratchDatabase(server) as url:
        yield url


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """A folder with a copy of the migrations."""
    return copy_migrations(tmp_path)
