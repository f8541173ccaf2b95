"""What several commands share: the project, and a server for scratch databases."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from alembic.util import CommandError
from sqlalchemy.engine import URL, make_url

from safestep.project import Project

Server = Annotated[str | None, typer.Option(help="URL of a server for scratch databases; default: one of its own.")]


def project_of(context: typer.Context) -> Project:
    """The Project whose command runs."""
    return context.ensure_object(Project)


@contextmanager
def scratch_server(project: Project, given: str | None) -> Iterator[URL]:
    """The given server, or one of the project's that is gone afterwards."""
    if given:
        yield make_url(given)
        return
    if project.scratch_server is None:
        raise CommandError("this needs a server to make scratch databases on: --server URL")
    with tempfile.TemporaryDirectory(prefix="safestep-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # root's server runs as another user
        with project.scratch_server(folder, {"fsync": "off"}) as url:
            yield url
