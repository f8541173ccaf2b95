"""What safestep has to know about the project whose migrations it runs: one object, made by the project."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData
from sqlalchemy.engine import URL

from safestep.connections import connect_args
from safestep.programs import program_on_path

if TYPE_CHECKING:
    from safestep.rehearsal import ServiceProfile


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long migrations may hold up others, and for how long they try. Times are in seconds."""

    lock_timeout: float = 2.0
    """How long one statement waits for a lock. Requests queue behind it for as long."""
    statement_timeout: float = 60.0
    """How long a statement may run that can hold strong locks."""
    concurrent_timeout: float = 3600.0
    """How long a statement may wait and run that lets traffic pass, such as CREATE INDEX CONCURRENTLY."""
    attempts: int = 12
    """How often one revision is tried when locks aren't free; in a backfill, one batch."""
    retry_delay: float = 1.0
    """The pause after the first attempt; it doubles with each further one."""
    max_replication_lag_mb: int = 64
    """A backfill waits while a replica is further behind than this."""


@dataclass(frozen=True, kw_only=True)
class DatabaseRoles:
    """The roles that a database is used by, and what they may do."""

    names: tuple[str, ...]
    """Of small letters, digits and underscores, since they are replaced in the SQL."""
    sql: str
    """Makes the roles where they aren't there, and grants each what it needs; it can be run again at any time."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """The callables are called when a command needs them, so that making a Project imports and connects nothing."""

    root: Path
    """The folder that holds alembic.ini."""
    metadata: Callable[[], MetaData]
    """The models' metadata; complete, so it imports every model."""
    database: Callable[[], AbstractContextManager[URL]]
    """The database to migrate, through asyncpg or psycopg; it is there while the block runs."""
    migrated_database: Callable[[], AbstractContextManager[URL]] | None = None
    """The same, at its newest revision, for new revisions to be compared with; without it `database` as it is."""
    scratch_server: Callable[[Path, Mapping[str, str]], AbstractContextManager[URL]] | None = None
    """A PostgreSQL of one's own in that folder, with these server settings, for gates and rehearsals.

    Its role may create databases. Without it, the commands that need one take `--server`.
    """
    client_program: Callable[[str], Path] = program_on_path
    """Where PostgreSQL's programs are, such as pg_dump; not older than the server."""
    roles: Callable[[], DatabaseRoles] | None = None
    """With them, `check` compares privileges as well; without, nobody knows which are wanted."""
    connect_args: Callable[[URL, Mapping[str, str]], dict[str, Any]] = connect_args
    """The driver's connect arguments for a session with these server parameters."""
    limits: Callable[[], Limits] = Limits
    confirm_data_loss: Callable[[], bool] = lambda: False
    """Whether a run that loses data has to be confirmed, as in production."""
    command: str = "safestep"
    """How a person calls the command line, for messages: such as `python -m shop.db`."""
    rehearsal: Callable[[], "ServiceProfile"] | None = None
    """What a rehearsal has to know of the service; without it there is no such command."""
